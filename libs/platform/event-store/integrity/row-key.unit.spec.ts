import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { RowKey } from './row-key';

const ORIGIN = 'kernel.example.com/test';
const line = (): string => randomBytes(32).toString('base64');

describe('RowKey', () => {
  const secret = line();
  const key = RowKey.parse(`${secret}\n`, ORIGIN);

  it('makes HMAC-SHA-256 over domain, origin, table and columns with types and lengths', () => {
    const expected = createHmac('sha256', Buffer.from(secret, 'base64'))
      .update(`illuvrse-kernel/row/v1\n${ORIGIN}\nidempotency\ns1:an3:201b2:`)
      .update(Buffer.from([0, 255]))
      .digest();
    expect(key.mac('idempotency', ['a', 201, Buffer.from([0, 255])])).toEqual(expected);
  });

  it.each([
    ['another value', ['a', 'c'], 'idempotency', key],
    ['a border moved', ['ab', ''], 'idempotency', key],
    ['another type', ['a', Buffer.from('b')], 'idempotency', key],
    ['another table', ['a', 'b'], 'mode_changes', key],
    ['another origin', ['a', 'b'], 'idempotency', RowKey.parse(secret, 'kernel.example.com/other')],
    ['another key', ['a', 'b'], 'idempotency', RowKey.parse(line(), ORIGIN)],
  ] as const)('does not verify with %s', (_, columns, table, verifier) => {
    const mac = key.mac('idempotency', ['a', 'b']);
    expect(key.verifies('idempotency', ['a', 'b'], mac)).toBe(true);
    expect(verifier.verifies(table, columns, mac)).toBe(false);
  });

  it('refuses a MAC of another length or with a changed bit', () => {
    const mac = key.mac('idempotency', ['a']);
    expect(key.verifies('idempotency', ['a'], mac.subarray(0, 16))).toBe(false);
    expect(key.verifies('idempotency', ['a'], Buffer.alloc(0))).toBe(false);
    mac[31] = (mac[31] as number) ^ 1;
    expect(key.verifies('idempotency', ['a'], mac)).toBe(false);
  });

  it('is replaced without a gap: the first key makes MACs, the second is still accepted', () => {
    const next = line();
    const both = RowKey.parse(`${next}\n${secret}\n`, ORIGIN);
    const [old, made] = [key.mac('mode_changes', ['a']), both.mac('mode_changes', ['a'])];
    expect([both.verifies('mode_changes', ['a'], old), both.verifies('mode_changes', ['a'], made)]).toEqual([
      true,
      true,
    ]);
    expect(RowKey.parse(next, ORIGIN).verifies('mode_changes', ['a'], made)).toBe(true);
    expect(key.verifies('mode_changes', ['a'], made)).toBe(false);
  });

  it('derives secrets by HKDF-SHA-256, of the key that the id names, and of no other', () => {
    const salt = randomBytes(32);
    const info = 'illuvrse-kernel/derived/v1\nkernel.example.com/test\na use';
    const expected = Buffer.from(hkdfSync('sha256', Buffer.from(secret, 'base64'), salt, info, 32));
    expect(key.derive(key.keyId, salt, 'a use')).toEqual(expected);
    expect(key.keyId).toMatch(/^[0-9a-f]{16}$/);
    const next = line();
    const both = RowKey.parse(`${next}\n${secret}\n`, ORIGIN);
    expect(both.keyId).not.toBe(key.keyId);
    expect(both.derive(key.keyId, salt, 'a use')).toEqual(expected);
    expect(RowKey.parse(next, ORIGIN).derive(key.keyId, salt, 'a use')).toBeNull();
    for (const other of [
      key.derive(key.keyId, salt, 'other'),
      key.derive(key.keyId, randomBytes(32), 'a use'),
    ]) {
      expect(other).not.toEqual(expected);
    }
  });

  it.each([
    ['', 'found 0'],
    [`${line()}\n${line()}\n${line()}`, 'found 3'],
    ['c2hvcnQ=', 'base64 of 32'],
  ])('refuses a file with %j', (text, message) => {
    expect(() => RowKey.parse(text, ORIGIN)).toThrow(message);
  });
});
