// The vectors of approvals, pools and quorums (docs/spec/approval.md).
import { createHash } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { ORIGIN, evidence, keyOf, lacking, malleate, refusal } from './vector-kernel.mjs';

/** A P-256 credential whose private key is the SHA-256 of a published sentence. */
export function credentialOf(keyId, algorithm) {
  const cbor = (label) => Buffer.from([label < 0 ? 0x20 - 1 - label : label]);
  const bytes = (value) => Buffer.concat([Buffer.from([0x58, value.length]), value]);
  const seed = createHash('sha256').update(`illuvrse-kernel test vector key ${keyId}`).digest();
  const [head, point, signDer] =
    algorithm === 'ES256'
      ? [
          [cbor(1), cbor(2), cbor(3), cbor(-7), cbor(-1), cbor(1)],
          Buffer.from(p256.getPublicKey(seed, false)).subarray(1),
          // RFC 6979: the same signature each time.
          (input) => Buffer.from(p256.Signature.fromBytes(p256.sign(input, seed)).toBytes('der')),
        ]
      : [
          [cbor(1), cbor(1), cbor(3), cbor(-8), cbor(-1), cbor(6)],
          Buffer.from(keyOf(keyId).publicKey, 'hex'),
          (input) => Buffer.from(keyOf(keyId).sign(input), 'base64'),
        ];
  const coordinates =
    algorithm === 'ES256'
      ? [cbor(-2), bytes(point.subarray(0, 32)), cbor(-3), bytes(point.subarray(32))]
      : [cbor(-2), bytes(point)];
  const cose = Buffer.concat([Buffer.from([algorithm === 'ES256' ? 0xa5 : 0xa4]), ...head, ...coordinates]);
  const key = {
    keyId,
    algorithm: 'webauthn',
    credentialId: createHash('sha256')
      .update(`credential ${keyId}`)
      .digest()
      .subarray(0, 16)
      .toString('base64'),
    publicKey: cose.toString('base64'),
    rpId: 'kernel.example.com',
    origins: ['https://kernel.example.com'],
  };
  const assert = (record, change = {}) => {
    const challenge = createHash('sha256').update(evidence.approvalSigningInput(record)).digest();
    const clientData = Buffer.from(
      change.clientDataText ??
        JSON.stringify({
          type: 'webauthn.get',
          challenge: challenge.toString('base64url'),
          origin: 'https://kernel.example.com',
          crossOrigin: false,
          ...change.clientData,
        }),
    );
    const authenticatorData = Buffer.concat([
      createHash('sha256')
        .update(change.rpId ?? key.rpId)
        .digest(),
      Buffer.from([change.flags ?? 0x05, 0, 0, 0, 7]),
      change.more ?? Buffer.alloc(0),
    ]);
    const input = Buffer.concat([authenticatorData, createHash('sha256').update(clientData).digest()]);
    return {
      credentialId: key.credentialId,
      clientDataJSON: clientData.toString('base64'),
      authenticatorData: authenticatorData.toString('base64'),
      signature: signDer(input).toString('base64'),
    };
  };
  return { key, seed: seed.toString('hex'), assert };
}

export function approvalVectors() {
  const ed25519 = (keyId) => ({
    keyId,
    algorithm: 'ed25519',
    publicKeyPem: keyOf(keyId).entry.public_key_pem,
  });
  const record = {
    origin: ORIGIN,
    upgradeId: 'upg-42',
    manifestSha256: createHash('sha256').update('{"upgradeId":"upg-42"}').digest('hex'),
    patchSha256: null,
    action: 'approve',
    approverId: 'approver-1',
    keyId: 'approver-1-key-1',
    poolVersion: 1,
    threshold: 3,
    approvedAt: '2026-01-31T10:00:00.000Z',
    expiresAt: '2026-02-14T10:00:00.000Z',
    notes: null,
  };
  const patch = createHash('sha256').update('patch').digest('hex');
  const records = [
    record,
    { ...record, patchSha256: patch, action: 'reject', notes: 'Zu früh – erst nach dem Test \u{1f600}\n' },
    { ...record, action: 'ratify', poolVersion: 7, threshold: 4 },
  ].map((one) => {
    const input = Buffer.from(evidence.approvalSigningInput(one));
    return {
      record: one,
      bytes: Buffer.from(evidence.approvalRecordBytes(one)).toString(),
      input: input.toString('hex'),
      challenge: createHash('sha256').update(input).digest('hex'),
      signature: keyOf(one.keyId).sign(input),
    };
  });
  const value = { type: evidence.APPROVAL_TYPE, ...record };
  const refused = [
    ['white space', JSON.stringify(value, null, 1)],
    ['members out of order', JSON.stringify(value)],
    ...[
      ['another type', { ...value, type: 'illuvrse-kernel/approval/v2' }],
      ['a member too many', { ...value, extra: true }],
      ['a member missing', lacking(value, 'notes')],
      ['an action of its own', { ...value, action: 'apply' }],
      ['an upper-case digest', { ...value, manifestSha256: record.manifestSha256.toUpperCase() }],
      ['a patch without digest', { ...value, patchSha256: '' }],
      ['a pool version of 0', { ...value, poolVersion: 0 }],
      ['a threshold of a half', { ...value, threshold: 1.5 }],
      ['a time without milliseconds', { ...value, approvedAt: '2026-01-31T10:00:00Z' }],
      ['a day that does not exist', { ...value, approvedAt: '2026-02-30T10:00:00.000Z' }],
      ['an end before the beginning', { ...value, expiresAt: '2026-01-31T10:00:00.000Z' }],
      ['a line feed in an id', { ...value, upgradeId: 'upg\n42' }],
      ['an empty key id', { ...value, keyId: '' }],
      ['an origin with a space', { ...value, origin: 'kernel example' }],
    ].map(([name, given]) => [name, evidence.canonicalize(given)]),
  ].map(([name, input]) => ({ name, input, ...refusal(() => evidence.parseApprovalRecord(input)) }));

  const es256 = credentialOf('approver-2-passkey', 'ES256');
  const eddsa = credentialOf('approver-3-passkey', 'EdDSA');
  const byEs256 = { ...record, approverId: 'approver-2', keyId: es256.key.keyId };
  const byEddsa = { ...record, approverId: 'approver-3', keyId: eddsa.key.keyId };
  const right = keyOf(record.keyId).sign(evidence.approvalSigningInput(record));
  const input = Buffer.from(evidence.approvalSigningInput(record));
  const asserted = es256.assert(byEs256);
  const cases = [
    ['Ed25519', record, ed25519(record.keyId), right],
    ...Object.entries({
      upgradeId: 'upg-43',
      origin: 'kernel.example.com/other',
      manifestSha256: patch,
      patchSha256: patch,
      action: 'ratify',
      approverId: 'approver-2',
      poolVersion: 2,
      threshold: 2,
      approvedAt: '2026-01-31T10:00:00.001Z',
      expiresAt: '2026-02-14T10:00:00.001Z',
      notes: '',
    }).map(([name, other]) => [
      `${name} changed`,
      { ...record, [name]: other },
      ed25519(record.keyId),
      right,
    ]),
    ['another key of the same name', record, { ...ed25519('vector-foreign'), keyId: record.keyId }, right],
    ['another key id', record, ed25519('approver-1-key-2'), right],
    ['S + L', record, ed25519(record.keyId), malleate(right)],
    ['without the first line', record, ed25519(record.keyId), keyOf(record.keyId).sign(input.subarray(28))],
    ['63 bytes', record, ed25519(record.keyId), Buffer.from(right, 'base64').subarray(1).toString('base64')],
    ['base64url', record, ed25519(record.keyId), Buffer.from(right, 'base64').toString('base64url')],
    ['an assertion in place of a signature', record, ed25519(record.keyId), asserted],
    ['WebAuthn ES256', byEs256, es256.key, asserted],
    ['WebAuthn EdDSA', byEddsa, eddsa.key, eddsa.assert(byEddsa)],
    ['a signature in place of an assertion', byEs256, es256.key, right],
    ['an assertion over another record', { ...byEs256, upgradeId: 'upg-43' }, es256.key, asserted],
    [
      'registration instead of assertion',
      byEs256,
      es256.key,
      es256.assert(byEs256, { clientData: { type: 'webauthn.create' } }),
    ],
    [
      'another web origin',
      byEs256,
      es256.key,
      es256.assert(byEs256, { clientData: { origin: 'https://kernel.example.org' } }),
    ],
    ['in a foreign frame', byEs256, es256.key, es256.assert(byEs256, { clientData: { crossOrigin: true } })],
    ['another relying party', byEs256, es256.key, es256.assert(byEs256, { rpId: 'example.com' })],
    ['user not present', byEs256, es256.key, es256.assert(byEs256, { flags: 0x04 })],
    ['user not verified', byEs256, es256.key, es256.assert(byEs256, { flags: 0x01 })],
    [
      'with extensions',
      byEs256,
      es256.key,
      es256.assert(byEs256, { flags: 0x85, more: Buffer.from([0xa0]) }),
    ],
    [
      'more than the flags announce',
      byEs256,
      es256.key,
      es256.assert(byEs256, { more: Buffer.from([0xa0]) }),
    ],
    ['another credential id', byEs256, es256.key, { ...asserted, credentialId: 'AAAA' }],
    [
      'by another credential',
      byEs256,
      {
        ...credentialOf('foreign-passkey', 'ES256').key,
        keyId: es256.key.keyId,
        credentialId: es256.key.credentialId,
      },
      asserted,
    ],
    ['client data that is no JSON', byEs256, es256.key, es256.assert(byEs256, { clientDataText: 'x' })],
    [
      'authenticator data cut off',
      byEs256,
      es256.key,
      {
        ...asserted,
        authenticatorData: Buffer.from(asserted.authenticatorData, 'base64')
          .subarray(0, 33)
          .toString('base64'),
      },
    ],
    ['no base64', byEs256, es256.key, { ...asserted, signature: '*' }],
  ].map(([name, given, key, signature]) => {
    const reasons = evidence.verifyApproval(given, signature, key);
    return {
      name,
      record: given,
      key,
      signature,
      valid: reasons.length === 0,
      reasons: reasons.map((reason) => reason.slice(0, reason.indexOf(':'))),
    };
  });
  return {
    'approvals.json': {
      keys: ['approver-1-key-1'].map((keyId) => ({ keyId, seed: keyOf(keyId).seed })),
      records,
      refused,
      signatures: cases,
    },
    ...poolVectors(ed25519, record, es256.key),
  };
}

function poolVectors(ed25519, record, passkey) {
  const approver = (n, keys = [ed25519(`approver-${n}-key-1`)]) => ({
    id: `approver-${n}`,
    name: `Approver ${n}`,
    contact: null,
    principals: [`spiffe://example.com/approver-${n}`],
    keys,
  });
  const pool = { threshold: 3, approvers: [1, 2, 3, 4, 5].map((n) => approver(n)) };
  const but = (n, change) => ({
    ...pool,
    approvers: pool.approvers.map((one, i) => (i === n ? { ...one, ...change } : one)),
  });
  const weak = { ...ed25519('x'), publicKeyPem: evidence.pemOfRawKey(Buffer.alloc(32)) };
  const pools = [
    ['3 of 5', pool],
    ['with a passkey beside a key', but(1, { keys: [...approver(2).keys, passkey] })],
    ['a threshold beyond the size', { ...pool, threshold: 6 }],
    ['a threshold of 0', { ...pool, threshold: 0 }],
    ['nobody', { threshold: 1, approvers: [] }],
    ['a person twice', but(1, { id: 'approver-1' })],
    ['a principal of two people', but(1, { principals: ['spiffe://example.com/approver-1'] })],
    ['a key of two people', but(1, { keys: [{ ...ed25519('approver-1-key-1'), keyId: 'other' }] })],
    [
      'a key twice with one person',
      but(1, { keys: [...approver(2).keys, { ...approver(2).keys[0], keyId: 'again' }] }),
    ],
    ['a key id twice', but(1, { keys: [{ ...approver(2).keys[0], keyId: 'approver-1-key-1' }] })],
    ['somebody without a key', but(2, { keys: [] })],
    ['a weak key', but(2, { keys: [weak] })],
    ['an unknown member', but(2, { admin: true })],
    ['an algorithm of its own', but(2, { keys: [{ ...ed25519('x'), algorithm: 'rsa' }] })],
    ['a passkey that is no COSE key', but(2, { keys: [{ ...passkey, publicKey: 'AAAA' }] })],
    [
      'a passkey twice, under another credential id',
      but(1, { keys: [passkey, { ...passkey, keyId: 'other', credentialId: 'AAAA' }] }),
    ],
    [
      'a key of two people, in PEM with other line breaks',
      but(1, {
        keys: [
          {
            ...ed25519('approver-1-key-1'),
            keyId: 'other',
            publicKeyPem: ed25519('approver-1-key-1').publicKeyPem.replace(
              /(?<=\n)(.{16})(.{16})/,
              '$1\r\n$2\r\n',
            ),
          },
        ],
      }),
    ],
    ...coseSpellings(passkey).map(([name, publicKey]) => [
      name,
      but(2, { keys: [{ ...passkey, publicKey }] }),
    ]),
  ].map(([name, given]) => {
    try {
      evidence.readApproverPool(given);
      return { name, pool: given, accepted: true };
    } catch (error) {
      return { name, pool: given, accepted: false, code: error.code, pointer: error.pointer };
    }
  });

  const event = (seq, type, payload) => ({
    type: `approver_pool.${type}`,
    stream: evidence.POOL_STREAM,
    shard: 0,
    seq,
    ts: '2026-01-01T00:00:00.000Z',
    payload,
  });
  const registered = event(1, 'registered', { version: 1, pool });
  const revoked = (n) =>
    event(3, 'key_revoked', {
      approverId: `approver-${n}`,
      keyId: `approver-${n}-key-1`,
      keyMaterial: evidence.keyMaterial(ed25519(`approver-${n}-key-1`)),
      reason: 'lost',
    });
  const changed = (approvers, threshold = 3, provisional = false) =>
    event(2, 'changed', { version: 2, pool: { threshold, approvers }, upgradeId: 'upg-1', provisional });
  const signed = (n, change = {}) => ({
    ...record,
    approverId: `approver-${n}`,
    keyId: `approver-${n}-key-1`,
    ...change,
  });
  const without1 = [2, 3, 4, 5, 6].map((n) => approver(n));
  const three = [1, 2, 3].map((n) => signed(n));
  const quorums = [
    ['three of five', [registered], three],
    ['two of five', [registered], three.slice(1)],
    ['one person three times', [registered], [signed(1), signed(1), signed(1)]],
    ['one of them rejected since', [registered], [...three, signed(2, { action: 'reject' })]],
    [
      'one has expired',
      [registered],
      [signed(1, { expiresAt: '2026-02-01T00:00:00.000Z' }), signed(2), signed(3)],
    ],
    ['a stranger', [registered], [signed(9), signed(2), signed(3)]],
    ['another key than the registered one', [registered], [signed(1, { keyId: 'x' }), signed(2), signed(3)]],
    [
      'an approver whose id is the principal of someone else',
      [registered],
      three,
      { involved: ['approver-1'] },
    ],
    ['the proposer', [registered], three, { involved: ['spiffe://example.com/approver-1'] }],
    ['a key revoked since', [registered, revoked(2)], three],
    [
      'a revoked passkey that comes back under other names',
      [
        registered,
        event(2, 'key_revoked', {
          approverId: 'approver-2',
          keyId: passkey.keyId,
          keyMaterial: evidence.keyMaterial(passkey),
          reason: 'lost',
        }),
        {
          ...changed([
            approver(1),
            approver(2, [{ ...passkey, keyId: 'approver-2-key-1', credentialId: 'AAAA' }]),
            approver(3),
          ]),
          seq: 3,
        },
      ],
      three,
    ],
    ['one left the pool', [registered, changed(without1)], three],
    ['one joined the pool', [registered, changed(without1)], [signed(2), signed(3), signed(6)]],
    [
      'the pool demands more now',
      [
        registered,
        changed(
          [1, 2, 3, 4, 5].map((n) => approver(n)),
          4,
        ),
      ],
      three,
    ],
    [
      'the pool demands less now',
      [
        registered,
        changed(
          [1, 2, 3, 4, 5].map((n) => approver(n)),
          2,
        ),
      ],
      three.slice(1),
    ],
    [
      'a pool that is provisional gives no power',
      [registered, changed(without1, 3, true)],
      [signed(2), signed(3), signed(6)],
    ],
    ['a pool that is provisional takes it', [registered, changed(without1, 3, true)], three],
    [
      'about the provisional pool itself',
      [registered, changed(without1, 3, true)],
      three.map((one) => ({ ...one, action: 'ratify' })),
      { action: 'ratify', aboutPool: true },
    ],
  ].map(([name, events, records, options = {}]) => {
    const question = { threshold: 3, involved: [], action: 'approve', aboutPool: false, ...options };
    const now = '2026-02-01T00:00:00.000Z';
    const { required, approvers, notCounted } = evidence.countQuorum({
      ...question,
      records,
      pool: events.reduce(evidence.evolvePool, null),
      involved: { principals: new Set(question.involved) },
      now: Date.parse(now),
    });
    const not = notCounted.map(({ approverId, reason }) => [approverId, reason]);
    return { name, events, records, now, ...question, required, approvers, notCounted: not };
  });
  return { 'approver-pools.json': pools, 'quorums.json': quorums };
}

/** The COSE key of an ES256 passkey in spellings that no authenticator writes; each could pass for another key. */
function coseSpellings(passkey) {
  const bytes = Buffer.from(passkey.publicKey, 'base64');
  const [kty, alg, crv, x, y] = [
    bytes.subarray(1, 3),
    bytes.subarray(3, 5),
    bytes.subarray(5, 7),
    bytes.subarray(7, 42),
    bytes.subarray(42),
  ];
  const map = (...parts) => Buffer.concat([Buffer.from([0xa5]), ...parts]).toString('base64');
  const off = Buffer.from(y);
  off[34] ^= 1;
  return [
    ['a passkey whose map begins with alg', map(alg, kty, crv, x, y)],
    ['a passkey whose map has y before x', map(kty, alg, crv, y, x)],
    ['a passkey with an integer in two bytes', map(Buffer.from([0x01, 0x18, 0x02]), alg, crv, x, y)],
    [
      'a passkey with a length in three bytes',
      map(kty, alg, crv, Buffer.from([0x21, 0x59, 0x00, 0x20]), x.subarray(3), y),
    ],
    [
      'a passkey with a map of indefinite length',
      Buffer.concat([Buffer.from([0xbf]), bytes.subarray(1), Buffer.from([0xff])]).toString('base64'),
    ],
    [
      'a passkey with a label twice',
      Buffer.concat([Buffer.from([0xa6]), bytes.subarray(1), y]).toString('base64'),
    ],
    ['a passkey with a byte after it', Buffer.concat([bytes, Buffer.from([0])]).toString('base64')],
    ['a passkey whose point is not on the curve', map(kty, alg, crv, x, off)],
  ];
}
