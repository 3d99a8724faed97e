import { lookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';
import { CodedError } from '#evidence';

/**
 * - `address_refused`: the name leads to an address that requests must not go to
 * - `name_unknown`: the name has no address
 * - `invalid_network`: an allowed network is not written as ADDRESS/LENGTH
 */
export type AddressErrorCode = 'address_refused' | 'name_unknown' | 'invalid_network';

export class AddressError extends CodedError<AddressErrorCode> {}

/** The IANA IPv4 Special-Purpose Address Registry, multicast and the reserved rest (RFC 1112): none is a public host. */
const SPECIAL_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
];
/** All of IPv6 that is not global unicast (RFC 4291 section 2.4). */
const GLOBAL_V6 = '2000::/3';
/** Within it: protocol assignments and Teredo, documentation, and 6to4, which leads to an IPv4 address. */
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/**
 * Which addresses requests may go to: public ones, and the networks that the configuration allows. A name is judged by
 * the addresses that the connection is then made to, at the moment it is made: a name that leads elsewhere a second later
 * (DNS rebinding) gains nothing.
 */
export class AddressPolicy {
  private readonly allowed: BlockList;
  /** Look-ups under way, by host: one that hangs must not take the threads that all look-ups share. */
  private readonly asked = new Map<string, Promise<LookupAddress[]>>();

  /** @param networks such as 10.20.0.0/16 @throws AddressError `invalid_network` */
  constructor(networks: readonly string[]) {
    this.allowed = listOf(networks);
  }

  /** Why no request may go to this address; null when it may. */
  refusal(address: string): string | null {
    const plain = unmapped(address);
    const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
    if (this.allowed.check(plain, family)) return null;
    const fine =
      family === 'ipv4'
        ? isIP(plain) === 4 && !special4.check(plain, 'ipv4')
        : global6.check(plain, 'ipv6') && !special6.check(plain, 'ipv6');
    return fine ? null : `${address} is not a public address, and its network is not allowed`;
  }

  /**
   * Addresses of a host, all of which may be used. A name with one refused address is refused as a whole.
   * @param host a name, or an address with or without brackets
   * @throws AddressError `address_refused`, `name_unknown`
   */
  resolve(host: string): Promise<LookupAddress[]> {
    const bare = unbracketed(host);
    const before = this.asked.get(bare);
    if (before !== undefined) return before;
    const asking = this.lookUp(bare).finally(() => this.asked.delete(bare));
    this.asked.set(bare, asking);
    return asking;
  }

  private lookUp(bare: string): Promise<LookupAddress[]> {
    return new Promise((settle, reject) => {
      lookup(bare, { all: true }, (error, found) => {
        if (error !== null || found.length === 0) {
          return reject(
            new AddressError('name_unknown', `${bare} has no address`, { host: bare }, { cause: error }),
          );
        }
        const refused = found.map(({ address }) => this.refusal(address)).find((why) => why !== null);
        if (refused === undefined) settle(found);
        else reject(new AddressError('address_refused', `${bare}: ${refused}`, { host: bare }));
      });
    });
  }

  /** For net.connect and tls.connect: the addresses that it finds are those that are connected to. */
  get lookup(): LookupFunction {
    return (host, { all }, done) => {
      this.resolve(host).then(
        (found) => {
          const [first] = found;
          if (all === true) done(null, found);
          else done(null, first?.address ?? '', first?.family);
        },
        (error: Error) => done(error, ''),
      );
    };
  }

  /** @throws AddressError `address_refused` */
  assert(address: string | undefined): void {
    const why = address === undefined ? 'it has no address' : this.refusal(address);
    if (why !== null) throw new AddressError('address_refused', `the connection is refused: ${why}`);
  }
}

export function unbracketed(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** The IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), in each of its spellings. */
function unmapped(address: string): string {
  const bare = unbracketed(address).split('%', 1)[0] ?? '';
  if (!isIPv6(bare)) return bare;
  // The URL parser writes every spelling as ::ffff:7f00:1.
  const canonical = unbracketed(new URL(`http://[${bare}]`).hostname);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped === null) return canonical;
  const [high, low] = mapped.slice(1).map((part) => Number.parseInt(part, 16)) as [number, number];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [, address = '', length = ''] = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(network) ?? [];
    const family = isIP(address);
    if (family === 0 || Number(length) > (family === 6 ? 128 : 32)) {
      throw new AddressError(
        'invalid_network',
        `"${network}" is no network; write it as 10.20.0.0/16 or fd00:20::/32`,
      );
    }
    list.addSubnet(address, Number(length), family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

const special4 = listOf(SPECIAL_V4);
const special6 = listOf(SPECIAL_V6);
const global6 = listOf([GLOBAL_V6]);
