import { hexDecode, pemOfRawKey, readApproverPool, sha256Hex } from '#evidence';
import { type AuditEvent } from '../../api/queries';
import { readProposal } from '../upgrades/proposal';
import { member, poolWith } from '../upgrades/upgrade.fixture';
import { describeKey, proposalFor, readRegistered, type Registered, standingOf } from './pool-change';

/** Public keys of RFC 8032, section 7.1: any will do, and each counts once. */
const KEYS = [
  'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
];

function ed25519(keyId: string, n: number) {
  const raw = hexDecode(KEYS[n] ?? '');
  return { key: { keyId, algorithm: 'ed25519', publicKeyPem: pemOfRawKey(raw) }, raw };
}

/** A COSE key of Ed25519 (RFC 9053): {1: 1, 3: -8, -1: 6, -2: x}. */
function passkey(keyId: string, n: number) {
  const cose = hexDecode(`a4010103272006215820${KEYS[n] ?? ''}`);
  const key = {
    keyId,
    algorithm: 'webauthn',
    credentialId: 'AAAA',
    publicKey: btoa(String.fromCharCode(...cose)),
    rpId: 'localhost',
    origins: ['http://localhost:8440'],
  };
  return { key, sha256: sha256Hex(cose) };
}

const MADE = passkey('ada-phone', 2);
const EVENT = {
  id: '0198c0de-7a3b-7c4d-8e5f-0123456789ab',
  shard: 0,
  seq: 17,
  ts: '2026-11-01T10:00:00.000Z',
  payload: { approverId: 'ada', key: MADE.key, sha256: MADE.sha256, multiDevice: true, backedUp: false },
} as unknown as AuditEvent;
const REGISTERED = readRegistered(EVENT) as Registered;
const people = (more: object[] = []) =>
  poolWith({
    approvers: [
      member('ada', { keys: [ed25519('ada-1', 0).key, ...more] as { keyId: string }[] }),
      member('bob', { keys: [ed25519('bob-1', 1).key] }),
    ],
  });

it('says what a key is, and the digest that people compare', () => {
  const { key, raw } = ed25519('a', 0);
  expect(describeKey(key)).toEqual({
    kind: 'key file or token',
    sha256: sha256Hex(raw),
  });
  expect(describeKey(MADE.key)).toEqual({ kind: 'passkey', sha256: MADE.sha256 });
  expect(describeKey({ keyId: 'odd' })).toEqual({ kind: 'key file or token', sha256: null });
});

describe('a registered passkey', () => {
  it('is read from its event', () => {
    expect(REGISTERED).toMatchObject({
      approverId: 'ada',
      keyId: 'ada-phone',
      position: '0:17',
      backupEligible: true,
      backedUp: false,
    });
    expect(readRegistered({ ...EVENT, payload: { approverId: 'ada' } })).toBeNull();
  });

  it('counts when the pool has it, under whatever name, and not when it was revoked', () => {
    expect(standingOf(REGISTERED, people())).toBe('not-voted');
    const pool = people([{ ...MADE.key, keyId: 'renamed' }]);
    expect(standingOf(REGISTERED, pool)).toBe('in-pool');
    const [ada, bob] = pool.approvers;
    if (ada === undefined || bob === undefined) throw new Error('the pool has two members');
    const revoked = { ...pool, approvers: [{ ...ada, revokedKeys: ['renamed'] }, bob] };
    expect(standingOf(REGISTERED, revoked)).toBe('revoked');
  });

  it('is proposed as a pool with it, and nothing else changed', () => {
    const typed = proposalFor(REGISTERED, people());
    const { manifest, problems } = readProposal(typed);
    expect(problems).toEqual({});
    expect(typed.rationale).toContain(MADE.sha256);
    const pool = readApproverPool(manifest?.['pool']);
    expect(pool.approvers.map(({ id, keys }) => [id, keys.map(({ keyId }) => keyId)])).toEqual([
      ['ada', ['ada-1', 'ada-phone']],
      ['bob', ['bob-1']],
    ]);
  });

  it('of somebody new is proposed with the person', () => {
    const { manifest } = readProposal(proposalFor({ ...REGISTERED, approverId: 'eve' }, people()));
    expect(readApproverPool(manifest?.['pool']).approvers[2]).toMatchObject({ id: 'eve', principals: [] });
  });
});
