import { AddressPolicy } from './address-policy';

describe('the addresses that requests may go to', () => {
  const publicOnly = new AddressPolicy([]);

  it.each([
    ['this host', '0.0.0.0'],
    ['private', '10.1.2.3'],
    ['private', '172.31.255.255'],
    ['private', '192.168.0.1'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.0.9'],
    ['link-local, with the metadata of clouds', '169.254.169.254'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['benchmarking', '198.19.0.1'],
    ['documentation', '203.0.113.7'],
    ['multicast', '224.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['unique local', 'fd12:3456::1'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['multicast', 'ff02::1'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped loopback in hexadecimal', '::ffff:7f00:1'],
    ['IPv4-mapped in long', '0:0:0:0:0:ffff:10.0.0.1'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:7f00:1::'],
    ['documentation', '2001:db8::1'],
    ['no address', 'localhost'],
    ['an address in another notation', '0177.0.0.1'],
  ])('are not %s: %s', (_, address) => {
    expect(publicOnly.refusal(address)).toContain('is not a public address');
  });

  it.each(['93.184.215.14', '172.32.0.1', '2606:4700::1111', '::ffff:93.184.215.14'])(
    'are public: %s',
    (one) => {
      expect(publicOnly.refusal(one)).toBeNull();
    },
  );

  it('are those of the allowed networks as well, however they are written', () => {
    const some = new AddressPolicy(['10.20.0.0/16', 'fd00:20::/32']);
    for (const one of ['10.20.0.1', '::ffff:10.20.0.1', 'fd00:20::1']) expect(some.refusal(one)).toBeNull();
    for (const one of ['10.21.0.1', '127.0.0.1', 'fd00:21::1']) expect(some.refusal(one)).not.toBeNull();
  });

  it.each(['10.20.0.0', '10.20.0.0/33', 'fd00::/129', 'x/8', ''])('are not named by "%s"', (network) => {
    expect(() => new AddressPolicy([network])).toThrow(expect.objectContaining({ code: 'invalid_network' }));
  });

  it('are found by name, and judged', async () => {
    await expect(publicOnly.resolve('localhost')).rejects.toMatchObject({ code: 'address_refused' });
    await expect(publicOnly.resolve('[::1]')).rejects.toMatchObject({ code: 'address_refused' });
    await expect(publicOnly.resolve('nothing.invalid')).rejects.toMatchObject({ code: 'name_unknown' });
    const local = new AddressPolicy(['127.0.0.0/8', '::1/128']);
    // One look-up for all who ask at a time, and another for those who ask later.
    const asked = local.resolve('localhost');
    expect(local.resolve('localhost')).toBe(asked);
    await asked;
    expect(local.resolve('localhost')).not.toBe(asked);
    expect((await local.resolve('localhost')).length).toBeGreaterThan(0);
  });
});
