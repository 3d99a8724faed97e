import { generateKeyPairSync } from 'node:crypto';
import { type JsonValue } from '../json/json-value';
import { evolvePool, keyMaterial, POOL_STREAM, type ApproverKey, type PoolEvent } from './approver-pool';
import { findSigner } from './quorum';

type Entry = [label: number, value: Buffer];

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = publicKey.export({ format: 'jwk' });
const [x, y] = [Buffer.from(jwk.x ?? '', 'base64url'), Buffer.from(jwk.y ?? '', 'base64url')];
const bytes32 = (value: Buffer): Buffer => Buffer.concat([Buffer.of(0x58, 32), value]);
const ES256: Entry[] = [
  [0x01, Buffer.of(0x02)],
  [0x03, Buffer.of(0x26)],
  [0x20, Buffer.of(0x01)],
  [0x21, bytes32(x)],
  [0x22, bytes32(y)],
];
const cose = (entries: readonly Entry[]): string =>
  Buffer.concat([
    Buffer.of(0xa0 | entries.length),
    ...entries.flatMap(([label, value]) => [Buffer.of(label), value]),
  ]).toString('base64');

const ed25519 = generateKeyPairSync('ed25519').publicKey;
const pem = ed25519.export({ type: 'spki', format: 'pem' }).toString();
const raw = ed25519.export({ type: 'spki', format: 'der' }).subarray(12);

function passkey(keyId: string, publicKey: string, credentialId = 'AAAA'): ApproverKey {
  const [rpId, origins] = ['kernel.example.com', ['https://kernel.example.com']];
  return { keyId, algorithm: 'webauthn', credentialId, publicKey, rpId, origins };
}

function pool(...keys: ApproverKey[]): { threshold: number; approvers: JsonValue } {
  const approvers = keys.map((key, n) => ({
    id: `approver-${n}`,
    name: `Approver ${n}`,
    contact: null,
    principals: [`CN=approver-${n}`],
    keys: [{ ...key }],
  }));
  return { threshold: 1, approvers: approvers as unknown as JsonValue };
}

function event(seq: number, type: string, payload: PoolEvent['payload']): PoolEvent {
  return {
    type: `approver_pool.${type}`,
    stream: POOL_STREAM,
    shard: 0,
    seq,
    ts: '2026-01-31T10:00:00.000Z',
    payload,
  };
}

const registered = (...keys: ApproverKey[]): PoolEvent =>
  event(1, 'registered', { version: 1, pool: pool(...keys) });

describe('the identity of a key', () => {
  it('is x || y for ES256 and the 32 bytes for Ed25519, in whatever container', () => {
    expect(keyMaterial(passkey('a', cose(ES256)))).toBe(Buffer.concat([x, y]).toString('base64'));
    const eddsa: Entry[] = [
      [0x01, Buffer.of(0x01)],
      [0x03, Buffer.of(0x27)],
      [0x20, Buffer.of(0x06)],
      [0x21, bytes32(raw)],
    ];
    expect(keyMaterial(passkey('a', cose(eddsa)))).toBe(raw.toString('base64'));
    const lines = pem.split('\n')[1]?.match(/.{1,20}/g) ?? [];
    const variant = ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----'].join('\r\n');
    for (const publicKeyPem of [pem, variant]) {
      expect(keyMaterial({ keyId: 'a', algorithm: 'ed25519', publicKeyPem })).toBe(raw.toString('base64'));
    }
  });

  it('makes one person of one credential, in whatever order its map is written', () => {
    const [a, b, c, d, e] = ES256 as [Entry, Entry, Entry, Entry, Entry];
    const orders = [
      [a, b, c, d, e],
      [b, a, c, d, e],
      [a, b, c, e, d],
    ].map(cose);
    const keys = orders.map((publicKey, n) => passkey(`key-${n}`, publicKey));
    // It counted as three people once.
    expect(() => evolvePool(null, registered(...keys))).toThrow(
      expect.objectContaining({ code: 'invalid_public_key', pointer: '/pool/approvers/1/keys/0' }),
    );
  });

  it.each([
    ['another credential id', [passkey('a', cose(ES256), 'AAAA'), passkey('b', cose(ES256), 'BBBB')]],
    [
      'another container',
      [
        { keyId: 'a', algorithm: 'ed25519' as const, publicKeyPem: pem },
        { keyId: 'b', algorithm: 'ed25519' as const, publicKeyPem: pem.replaceAll('\n', '\r\n') },
      ],
    ],
  ])('is found twice under %s', (_, keys) => {
    expect(() => evolvePool(null, registered(...keys))).toThrow(
      expect.objectContaining({ code: 'invalid_pool' }),
    );
  });

  it('is what a revocation ends: the key does not come back under other names', () => {
    const key = passkey('a', cose(ES256));
    const revocation = {
      approverId: 'approver-0',
      keyId: 'a',
      keyMaterial: keyMaterial(key),
      reason: 'lost',
    };
    const back = passkey('b', cose(ES256), 'BBBB');
    const state = [
      registered(key),
      event(2, 'key_revoked', revocation),
      event(3, 'changed', { version: 2, pool: pool(back), upgradeId: 'upg-1', provisional: false }),
    ].reduce(evolvePool, null);
    expect(state && findSigner(state, 'approver-0', 'b')).toEqual({ refusal: 'key_revoked' });
  });

  it.each([
    ['the encoding of a COSE key', cose(ES256)],
    ['hex', raw.toString('hex')],
    ['nothing', ''],
    ['31 bytes', raw.subarray(1).toString('base64')],
  ])('is the only thing that a revocation can name: not %s', (_, material) => {
    const state = evolvePool(null, registered(passkey('a', cose(ES256))));
    const revocation = { approverId: 'approver-0', keyId: 'a', keyMaterial: material, reason: 'lost' };
    expect(() => evolvePool(state, event(2, 'key_revoked', revocation))).toThrow(
      expect.objectContaining({ code: 'invalid_pool', pointer: '/keyMaterial' }),
    );
  });
});
