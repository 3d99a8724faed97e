import { p256 } from '@noble/curves/nist.js';
import { EvidenceError } from '../evidence.error';
import { readCoseKey } from './cose-key';
import { pemOfRawKey, rawKeyOfPem } from './public-key';

const point = Buffer.from(p256.getPublicKey(new Uint8Array(32).fill(7), false));
const [x, y] = [point.subarray(1, 33), point.subarray(33)];
const ED25519 = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');

const bytes32 = (value: Uint8Array): Buffer => Buffer.concat([Buffer.of(0x58, value.length), value]);
/** Labels and values of an ES256 key, each encoded, in the order of CTAP2. */
const ENTRIES: [label: string, value: Buffer][] = [
  ['01', Buffer.of(0x02)],
  ['03', Buffer.of(0x26)],
  ['20', Buffer.of(0x01)],
  ['21', bytes32(x)],
  ['22', bytes32(y)],
];

function cose(
  entries: readonly [label: string, value: Buffer][],
  head = Buffer.of(0xa0 | entries.length),
): Buffer {
  return Buffer.concat([head, ...entries.flatMap(([label, value]) => [Buffer.from(label, 'hex'), value])]);
}

function replaced(label: string, by: [label: string, value: Buffer]): Buffer {
  return cose(ENTRIES.map((entry) => (entry[0] === label ? by : entry)));
}

function refusal(bytes: Uint8Array): string | null {
  try {
    readCoseKey(bytes);
    return null;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return error.code;
  }
}

function* permutations<T>(list: readonly T[]): Generator<T[]> {
  if (list.length === 0) yield [];
  for (const [i, first] of list.entries()) {
    for (const rest of permutations([...list.slice(0, i), ...list.slice(i + 1)])) yield [first, ...rest];
  }
}

describe('readCoseKey', () => {
  it('takes one of the 120 orders of an ES256 key', () => {
    const orders = [...permutations(ENTRIES)].map((entries) => cose(entries));
    expect(orders).toHaveLength(120);
    expect(orders.filter((order) => refusal(order) === null)).toEqual([cose(ENTRIES)]);
    expect(readCoseKey(cose(ENTRIES))).toEqual({
      algorithm: 'ES256',
      x: Uint8Array.from(x),
      y: Uint8Array.from(y),
    });
  });

  it('takes one of the 24 orders of an Ed25519 key', () => {
    const entries: [string, Buffer][] = [
      ['01', Buffer.of(0x01)],
      ['03', Buffer.of(0x27)],
      ['20', Buffer.of(0x06)],
      ['21', bytes32(ED25519)],
    ];
    const orders = [...permutations(entries)].map((order) => cose(order));
    expect(orders.filter((order) => refusal(order) === null)).toEqual([cose(entries)]);
    expect(readCoseKey(cose(entries))).toEqual({ algorithm: 'EdDSA', raw: Uint8Array.from(ED25519) });
  });

  it.each([
    ['a label in two bytes', replaced('01', ['1801', Buffer.of(0x02)])],
    ['a negative label in two bytes', replaced('21', ['3801', bytes32(x)])],
    ['a value in two bytes', replaced('03', ['03', Buffer.of(0x38, 0x06)])],
    ['a length in three bytes', replaced('21', ['21', Buffer.concat([Buffer.of(0x59, 0, 32), x])])],
    [
      'a length in nine bytes',
      replaced('21', ['21', Buffer.concat([Buffer.of(0x5b, 0, 0, 0, 0, 0, 0, 0, 32), x])]),
    ],
    [
      'a string of indefinite length',
      replaced('21', ['21', Buffer.concat([Buffer.of(0x5f), bytes32(x), Buffer.of(0xff)])]),
    ],
    ['a map of indefinite length', Buffer.concat([cose(ENTRIES, Buffer.of(0xbf)), Buffer.of(0xff)])],
    ['a map length in two bytes', cose(ENTRIES, Buffer.of(0xb8, 5))],
    ['a label twice', cose([...ENTRIES, ['22', bytes32(y)]])],
    [
      'a label twice with another value',
      cose([...ENTRIES.slice(0, 4), ['21', bytes32(y)], ['22', bytes32(y)]]),
    ],
    ['a label too many', cose([...ENTRIES, ['23', Buffer.of(0x01)]])],
    ['a label that is text', cose([...ENTRIES, ['6161', Buffer.of(0x01)]])],
    ['a label that is bytes', cose([...ENTRIES.slice(0, 3), ['4101', Buffer.of(0x01)], ...ENTRIES.slice(3)])],
    ['a byte after it', Buffer.concat([cose(ENTRIES), Buffer.of(0)])],
    ['a tag around it', Buffer.concat([Buffer.of(0xc1), cose(ENTRIES)])],
    ['a list in place of the map', cose(ENTRIES, Buffer.of(0x8a))],
    ['a compressed point: y is true', replaced('22', ['22', Buffer.of(0xf5)])],
    ['an x of 31 bytes', replaced('21', ['21', bytes32(x.subarray(1))])],
    ['an x of 33 bytes', replaced('21', ['21', bytes32(Buffer.concat([Buffer.of(0), x]))])],
    ['nothing', Buffer.of()],
    ['a map without its entries', Buffer.of(0xa5)],
    ['a length beyond the end', Buffer.from('a101591000', 'hex')],
  ])('refuses %s', (_, bytes) => {
    expect(refusal(bytes)).toBe('invalid_public_key');
  });

  it('refuses every part of a key', () => {
    const whole = cose(ENTRIES);
    for (let length = 0; length < whole.length; length++) {
      expect(refusal(whole.subarray(0, length))).toBe('invalid_public_key');
    }
  });

  it.each([
    ['with a changed y', x, Buffer.from(y).fill(1, 31)],
    ['at zero', Buffer.alloc(32), Buffer.alloc(32)],
    [
      'whose x is the prime',
      Buffer.from('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff', 'hex'),
      y,
    ],
    ['with coordinates swapped', y, x],
  ])('refuses a point %s: it is not on the curve', (_, otherX, otherY) => {
    const entries = [
      ...ENTRIES.slice(0, 3),
      ['21', bytes32(otherX)],
      ['22', bytes32(otherY)],
    ] as typeof ENTRIES;
    expect(refusal(cose(entries))).toBe('weak_public_key');
  });
});

describe('rawKeyOfPem', () => {
  it('refuses a long text without end, which took hours once', () => {
    const spaces = ' '.repeat(60_000);
    for (const text of [`-----BEGIN PUBLIC KEY-----${spaces}`, `-----BEGIN PUBLIC KEY-----\nA${spaces}=`]) {
      expect(() => rawKeyOfPem(text)).toThrow(/no PEM public key/);
    }
  });

  const pem = pemOfRawKey(ED25519);
  const base64 = pem.split('\n')[1] ?? '';
  const wrapped = (text: string): string => `-----BEGIN PUBLIC KEY-----\n${text}\n-----END PUBLIC KEY-----\n`;

  it.each([
    ['other line breaks', wrapped(base64.match(/.{1,7}/g)?.join('\r\n') ?? '')],
    ['white space around', `\n\n  ${pem}\n\t`],
    ['one line break each', pem.trimEnd()],
  ])('finds the same key with %s', (_, text) => {
    expect(Buffer.from(rawKeyOfPem(text))).toEqual(ED25519);
  });

  it.each([
    ['a parameter in the algorithm', wrapped(`MCwwBwYDK2VwBQADIQD${base64.slice(16)}`)],
    ['a header line', wrapped(`Comment: mine\n\n${base64}`)],
    ['text before it', `my key\n${pem}`],
    ['two keys', pem + pem],
    [
      'a byte after it',
      wrapped(Buffer.concat([Buffer.from(base64, 'base64'), Buffer.of(0)]).toString('base64')),
    ],
    ['base64url', wrapped(`${base64.slice(0, -4)}-_8=`)],
  ])('refuses %s', (_, text) => {
    expect(() => rawKeyOfPem(text)).toThrow(expect.objectContaining({ code: 'invalid_public_key' }));
  });
});
