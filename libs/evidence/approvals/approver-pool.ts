import { isGovernanceId } from './approval-record';
import { type AuditEvent } from '../chain/audit-event';
import { base64Decode, base64Encode } from '../json/base64';
import { readCoseKey } from '../keys/cose-key';
import { EvidenceError } from '../evidence.error';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { type EventPosition } from '../keys/key-registry';
import { checkedKeyOfPem } from '../keys/public-key';
import { type WebAuthnCredential } from './webauthn-assertion';

/** A public key of an approver. */
export type ApproverKey =
  | { keyId: string; algorithm: 'ed25519'; publicKeyPem: string }
  | ({ keyId: string; algorithm: 'webauthn' } & WebAuthnCredential);

/** A person who may approve. */
export interface Approver {
  id: string;
  name: string;
  /** Contact of the person: an address, a number. */
  contact: string | null;
  /** Names under which they call the kernel: certificate names, SPIFFE ids, subjects of an identity provider. */
  principals: string[];
  keys: ApproverKey[];
}

/** The people who decide about upgrades (docs/spec/approval.md, section 3). */
export interface ApproverPool {
  threshold: number;
  approvers: Approver[];
}

/** Bounds: a pool is written into events of at most 65,535 bytes. */
const MAX_APPROVERS = 50;
const MAX_KEYS = 8;
const MAX_PRINCIPALS = 8;
const MAX_TEXT = 255;

/**
 * Reads a pool, strictly. People are told apart by id, by principal and by key: none may belong to two of them, or one
 * person would count twice.
 * @throws EvidenceError `invalid_pool`, `invalid_public_key`, `weak_public_key`, with the pointer of the first offence
 */
export function readApproverPool(value: JsonValue | undefined, base = ''): ApproverPool {
  const root = members(value, ['approvers', 'threshold'], base);
  const { threshold, approvers: list } = root;
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_APPROVERS) {
    throw refuse(`${base}/approvers`, `a pool has 1 to ${MAX_APPROVERS} approvers`);
  }
  const approvers = list.map((entry, i) => readApprover(entry, `${base}/approvers/${i}`));
  if (
    !Number.isSafeInteger(threshold) ||
    (threshold as number) < 1 ||
    (threshold as number) > approvers.length
  ) {
    throw refuse(`${base}/threshold`, `the threshold is an integer from 1 to the number of approvers`);
  }
  const seen = new Map<string, string>();
  approvers.forEach((approver, i) => {
    const at = `${base}/approvers/${i}`;
    const once = (kind: string, name: string, pointer: string): void => {
      const owner = seen.get(`${kind} ${name}`);
      if (owner !== undefined) throw refuse(pointer, `the ${kind} ${name} occurs twice, first with ${owner}`);
      seen.set(`${kind} ${name}`, approver.id);
    };
    once('id', approver.id, `${at}/id`);
    approver.principals.forEach((principal, n) => once('principal', principal, `${at}/principals/${n}`));
    approver.keys.forEach((key, n) => {
      once('keyId', key.keyId, `${at}/keys/${n}/keyId`);
      once('key', keyMaterial(key), `${at}/keys/${n}`);
    });
  });
  return { threshold: threshold as number, approvers };
}

/**
 * Identity of a key: base64 of the 32 bytes of an Ed25519 key, or of the 64 bytes x || y of an ES256 key. Its name, its
 * container (PEM, COSE) and its credential say nothing about who it is (docs/spec/approval.md, section 3).
 */
export function keyMaterial(key: ApproverKey): string {
  let material = materials.get(key);
  if (material === undefined) materials.set(key, (material = materialOf(key)));
  return material;
}

/** Reading a COSE key takes checks on its curve, and each counting of a quorum asks for every key of the pool. */
const materials = new WeakMap<ApproverKey, string>();

function materialOf(key: ApproverKey): string {
  if (key.algorithm === 'ed25519') return base64Encode(checkedKeyOfPem(key.publicKeyPem));
  const cose = readCoseKey(base64Decode(key.publicKey) ?? new Uint8Array());
  return base64Encode(cose.algorithm === 'EdDSA' ? cose.raw : Uint8Array.of(...cose.x, ...cose.y));
}

/** Whether a text is what `keyMaterial` makes: a revocation of anything else would revoke nothing. */
function isKeyMaterial(text: string): boolean {
  const bytes = base64Decode(text);
  return bytes !== null && (bytes.length === 32 || bytes.length === 64);
}

function readApprover(value: JsonValue | undefined, base: string): Approver {
  const { id, name, contact, principals, keys } = members(
    value,
    ['id', 'name', 'contact', 'principals', 'keys'],
    base,
  );
  if (!isGovernanceId(id))
    throw refuse(`${base}/id`, 'an id is 1 to 128 characters without control characters');
  if (!isText(name)) throw refuse(`${base}/name`, `a name is a text of 1 to ${MAX_TEXT} characters`);
  if (contact !== null && !isText(contact)) throw refuse(`${base}/contact`, 'contact is a text or null');
  if (!Array.isArray(principals) || principals.length > MAX_PRINCIPALS || !principals.every(isText)) {
    throw refuse(`${base}/principals`, `an approver has at most ${MAX_PRINCIPALS} principals, each a text`);
  }
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > MAX_KEYS) {
    throw refuse(`${base}/keys`, `an approver has 1 to ${MAX_KEYS} keys`);
  }
  return { id, name, contact, principals, keys: keys.map((key, i) => readKey(key, `${base}/keys/${i}`)) };
}

function readKey(value: JsonValue | undefined, base: string): ApproverKey {
  const algorithm = (value as JsonObject | null | undefined)?.['algorithm'];
  const ed25519 = algorithm === 'ed25519';
  if (!ed25519 && algorithm !== 'webauthn') {
    throw refuse(`${base}/algorithm`, 'the algorithm is ed25519 or webauthn');
  }
  const key = members(
    value,
    ed25519
      ? ['keyId', 'algorithm', 'publicKeyPem']
      : ['keyId', 'algorithm', 'credentialId', 'publicKey', 'rpId', 'origins'],
    base,
  );
  const { keyId } = key;
  if (!isGovernanceId(keyId)) throw refuse(`${base}/keyId`, 'a keyId is 1 to 128 characters');
  try {
    if (ed25519) {
      const { publicKeyPem } = key;
      if (typeof publicKeyPem !== 'string')
        throw refuse(`${base}/publicKeyPem`, 'publicKeyPem is a PEM text');
      checkedKeyOfPem(publicKeyPem);
      return { keyId, algorithm, publicKeyPem };
    }
    const { credentialId, publicKey, rpId, origins } = key;
    if (typeof credentialId !== 'string' || !isBase64(credentialId)) {
      throw refuse(`${base}/credentialId`, 'credentialId is base64');
    }
    const cose = typeof publicKey === 'string' ? base64Decode(publicKey) : null;
    if (cose === null) throw refuse(`${base}/publicKey`, 'publicKey is base64 of a COSE key');
    readCoseKey(cose);
    if (!isText(rpId)) throw refuse(`${base}/rpId`, 'rpId is a domain');
    if (!Array.isArray(origins) || origins.length === 0 || origins.length > 8 || !origins.every(isText)) {
      throw refuse(`${base}/origins`, 'origins are 1 to 8 web origins');
    }
    return { keyId, algorithm: 'webauthn', credentialId, publicKey: publicKey as string, rpId, origins };
  } catch (error) {
    if (!(error instanceof EvidenceError) || error.pointer !== undefined) throw error;
    throw new EvidenceError(error.code, error.message, { pointer: base, cause: error });
  }
}

function members(value: JsonValue | undefined, names: readonly string[], base: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(base, 'it is not an object');
  const odd = Object.keys(value).find((name) => !names.includes(name));
  if (odd !== undefined) throw refuse(base, `it has an unknown member ${JSON.stringify(odd)}`);
  const missing = names.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) throw refuse(base, `its member ${missing} is missing`);
  return value;
}

function refuse(pointer: string, message: string): EvidenceError {
  return new EvidenceError('invalid_pool', `The approver pool does not fit: ${message}.`, { pointer });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= MAX_TEXT && value.isWellFormed();
}

function isBase64(text: string): boolean {
  const bytes = base64Decode(text);
  return bytes !== null && bytes.length >= 1 && bytes.length <= 1_023;
}

// --- the pool through time -------------------------------------------------------------------------------------------

/** The only stream of the pool. */
export const POOL_STREAM = 'approver_pool/kernel';

export interface VersionedPool {
  /** From 1. */
  version: number;
  pool: ApproverPool;
}

/** The pool as folded from the chain's own events (docs/spec/approval.md, section 4). */
export interface PoolState {
  inForce: VersionedPool;
  /**
   * The last pool that a quorum agreed to. It differs from `inForce` while a change that was applied in an
   * emergency waits for its ratification: until then only members of both decide.
   */
  settled: VersionedPool;
  /** The pool before `inForce`. */
  previous: VersionedPool | null;
  /** The upgrade that must be ratified for `inForce` to stay. */
  provisional: string | null;
  /** By key material: a revoked key stays revoked, whatever pool names it later. */
  revoked: ReadonlyMap<string, { at: string; reason: string }>;
  /** Number of events that made it: a decision names its basis by this number. */
  events: number;
  /** Position at which each key came into the chain, by key material. */
  registered: ReadonlyMap<string, EventPosition>;
}

export type PoolEvent = Pick<AuditEvent, 'type' | 'stream' | 'payload' | 'shard' | 'seq' | 'ts'>;

/** The pool after an event of its stream. @throws EvidenceError `invalid_pool` when the event contradicts it */
export function evolvePool(state: PoolState | null, event: PoolEvent): PoolState | null {
  if (event.stream !== POOL_STREAM) return state;
  const next = evolved(state, event);
  return { ...next, events: (state?.events ?? 0) + 1 };
}

function evolved(state: PoolState | null, event: PoolEvent): PoolState {
  const { payload } = event;
  if (event.type === 'approver_pool.registered') {
    if (state !== null) throw refuse('', 'a pool is registered already');
    const first = versioned(payload, 1);
    const registered = withKeys(new Map(), first.pool, event);
    return {
      inForce: first,
      settled: first,
      previous: null,
      provisional: null,
      revoked: new Map(),
      events: 0,
      registered,
    };
  }
  if (state === null) throw refuse('', 'its first event must be approver_pool.registered');
  switch (event.type) {
    case 'approver_pool.changed': {
      const inForce = versioned(payload, state.inForce.version + 1);
      const provisional = payload['provisional'] === true ? text(payload['upgradeId'], '/upgradeId') : null;
      return {
        ...state,
        inForce,
        previous: state.inForce,
        settled: provisional === null ? inForce : state.settled,
        provisional,
        registered: withKeys(state.registered, inForce.pool, event),
      };
    }
    case 'approver_pool.confirmed':
      return { ...state, settled: state.inForce, provisional: null };
    case 'approver_pool.key_revoked': {
      const material = text(payload['keyMaterial'], '/keyMaterial');
      if (!isKeyMaterial(material)) {
        throw refuse(
          '/keyMaterial',
          'it must be base64 of the 32 bytes of an Ed25519 key, or of x and y of an ES256 key',
        );
      }
      if (state.revoked.has(material)) return state;
      const reason = text(payload['reason'], '/reason');
      return { ...state, revoked: new Map(state.revoked).set(material, { at: event.ts, reason }) };
    }
    default:
      return state;
  }
}

function versioned(payload: JsonObject, expected: number): VersionedPool {
  const version = payload['version'];
  if (version !== expected) throw refuse('/version', `the version must be ${expected}`);
  return { version: expected, pool: readApproverPool(payload['pool'], '/pool') };
}

function withKeys(
  before: ReadonlyMap<string, EventPosition>,
  pool: ApproverPool,
  { shard, seq, ts }: PoolEvent,
): ReadonlyMap<string, EventPosition> {
  const registered = new Map(before);
  for (const key of pool.approvers.flatMap(({ keys }) => keys)) {
    const material = keyMaterial(key);
    if (!registered.has(material)) registered.set(material, { shard, seq, ts });
  }
  return registered;
}

function text(value: JsonValue | undefined, pointer: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw refuse(pointer, 'a text is missing');
}
