import { HEX_SHA256, type AuditEvent } from '../chain/audit-event';
import { base64Decode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { exactObject } from '../json/exact-object';
import { type JsonValue } from '../json/json-value';
import { checkedKeyOfPem } from './public-key';
import { readSigner, type SignerEntry } from './signers';

/** Position and time of an event in the evidence. */
export interface EventPosition {
  shard: number;
  seq: number;
  /** RFC 3339 UTC with milliseconds. */
  ts: string;
}

export interface RegisteredKey {
  /** The entry as the registry has it now, status and times included. */
  entry: SignerEntry;
  added: EventPosition;
  /** Position from which it no longer signs anything, whatever the reason. */
  ended: EventPosition | null;
  /** The signatures from before its end that are in doubt, when a thief may have made some. */
  doubt: KeyDoubt | null;
}

/** Statement of a `signer.compromised` event about the signatures that were made before it. */
export interface KeyDoubt {
  /** The first position in doubt, by shard. */
  since: ReadonlyMap<number, number>;
  /** Events in doubt that the kernel confirms: the hash of the last names them all, through the links. */
  reattested: readonly ReattestedRange[];
  /** Position of the event that says so. */
  by: EventPosition & { signerKid: string };
}

export interface ReattestedRange {
  shard: number;
  from: { seq: number; hash: string };
  to: { seq: number; hash: string };
  /** Events by the key in between, both included. */
  count: number;
}

/** The registry as folded from the chain's own signer events. */
export interface KeyRegistryState {
  readonly keys: ReadonlyMap<string, RegisteredKey>;
}

export const NO_KEYS: KeyRegistryState = { keys: new Map() };

type RegistryEvent = Pick<AuditEvent, 'type' | 'stream' | 'payload' | 'shard' | 'seq' | 'ts' | 'signerKid'>;

/** The types of event that change the registry (docs/spec/signers.md, section 3). */
export const REGISTRY_TYPES = [
  'signer.added',
  'signer.rotated',
  'signer.emergency',
  'signer.retired',
  'signer.compromised',
] as const;

const TYPES: ReadonlySet<string> = new Set(REGISTRY_TYPES);
/** A key signs in some shards, and a shard's part in doubt is one range, or a few around events of other keys. */
const MAX_RANGES = 1_024;

/** Whether an event speaks for the registry: one of its types, in a stream `signer/<kid>`. */
export function isRegistryEvent(event: Pick<AuditEvent, 'type' | 'stream'>): boolean {
  return event.stream.startsWith('signer/') && TYPES.has(event.type);
}

/**
 * The registry after `event`; events of other kinds change nothing.
 * @throws EvidenceError `invalid_registry_event` when the event contradicts the registry or is malformed,
 * `weak_public_key` for a key that must not be registered.
 */
export function evolveKeys(state: KeyRegistryState, event: RegistryEvent): KeyRegistryState {
  if (!isRegistryEvent(event)) return state;
  const { payload } = event;
  switch (event.type) {
    case 'signer.added':
      return added(state, event, payload['signer'], '/payload/signer');
    case 'signer.rotated':
      registered(state, payload['from'], '/payload/from');
      counterSigned(event);
      return added(state, event, payload['to'], '/payload/to');
    case 'signer.emergency': {
      const kid = registered(state, payload['from'], '/payload/from').entry.signer_kid;
      counterSigned(event);
      // Anyone who may have the key can also sign with it: it ends where its successor begins.
      const without = ended(state, event, kid, 'compromised', 'compromisedAt');
      return added(without, event, payload['to'], '/payload/to');
    }
    case 'signer.retired':
      return ended(state, event, payload['signer_kid'], 'retired', 'retiredAt');
    default:
      return doubted(ended(state, event, payload['signer_kid'], 'compromised', 'compromisedAt'), event);
  }
}

/** The registry as entries of signers.json, in the order of registration. */
export function registeredSigners(state: KeyRegistryState): SignerEntry[] {
  return [...state.keys.values()].map(({ entry }) => entry);
}

function added(
  state: KeyRegistryState,
  event: RegistryEvent,
  value: JsonValue | undefined,
  pointer: string,
): KeyRegistryState {
  const entry = readSigner(value, pointer);
  const known = state.keys.get(entry.signer_kid);
  if (known !== undefined) {
    const same = known.ended === null && samePublicKey(known.entry.public_key_pem, entry.public_key_pem);
    if (same) return state;
    throw refuse(
      pointer,
      known.ended === null
        ? `${entry.signer_kid} is registered with another public key`
        : `${entry.signer_kid} has ended and must not come back; register a new kid`,
    );
  }
  for (const { entry: other } of state.keys.values()) {
    if (!samePublicKey(other.public_key_pem, entry.public_key_pem)) continue;
    // With two names, a key could go on under one after it ended under the other.
    throw refuse(
      pointer,
      `${entry.signer_kid} is the same public key as ${other.signer_kid}; make a new key`,
    );
  }
  const { shard, seq, ts } = event;
  return {
    keys: new Map(state.keys).set(entry.signer_kid, {
      entry,
      added: { shard, seq, ts },
      ended: null,
      doubt: null,
    }),
  };
}

/** Checks its form only: whether it is valid takes cryptography, see `counterSignatureHolds`. */
function counterSigned({ payload: { counterSignature } }: RegistryEvent): void {
  const signature = typeof counterSignature === 'string' ? base64Decode(counterSignature) : null;
  if (signature?.length === 64) return;
  throw refuse('/payload/counterSignature', 'the counter-signature of the new key is missing');
}

function ended(
  state: KeyRegistryState,
  event: RegistryEvent,
  kid: JsonValue | undefined,
  status: 'retired' | 'compromised',
  member: 'retiredAt' | 'compromisedAt',
): KeyRegistryState {
  const known = registered(state, kid, '/payload/signer_kid');
  const at = event.payload[member];
  if (typeof at !== 'string' || Number.isNaN(Date.parse(at))) {
    throw refuse(`/payload/${member}`, `${member} must be an RFC 3339 time`);
  }
  if (known.entry.status === 'compromised' || known.entry.status === status) return state;
  const { shard, seq, ts } = event;
  return {
    keys: new Map(state.keys).set(known.entry.signer_kid, {
      ...known,
      entry: { ...known.entry, status, [member]: at },
      ended: known.ended ?? { shard, seq, ts },
    }),
  };
}

/** Takes in what a `signer.compromised` event says about earlier signatures; one without `since` doubts none. */
function doubted(state: KeyRegistryState, event: RegistryEvent): KeyRegistryState {
  const { payload, shard, seq, ts, signerKid } = event;
  const { signer_kid: kid, since, reattested } = payload;
  if (since === undefined) return state;
  const known = registered(state, kid, '/payload/signer_kid');
  // The first statement is final: a later one must not withdraw the doubt.
  if (known.doubt !== null) return state;
  const positions = readList(since, '/payload/since', (value) => {
    const one = exactObject(value, ['shard', 'seq']);
    return one !== null && isCount(one['shard'], 0) && isCount(one['seq'], 1)
      ? ([one['shard'], one['seq']] as const)
      : null;
  });
  const ranges = readList(reattested ?? [], '/payload/reattested', readRange);
  const doubt = { since: new Map(positions), reattested: ranges, by: { shard, seq, ts, signerKid } };
  return { keys: new Map(state.keys).set(known.entry.signer_kid, { ...known, doubt }) };
}

function readList<T>(value: JsonValue, pointer: string, read: (value: JsonValue) => T | null): readonly T[] {
  const list = Array.isArray(value) && value.length <= MAX_RANGES ? value.map(read) : null;
  const at = list?.indexOf(null) ?? -1;
  if (list === null || at !== -1) {
    throw refuse(at === -1 ? pointer : `${pointer}/${at}`, 'it does not say which signatures are in doubt');
  }
  return list as T[];
}

function readRange(value: JsonValue): ReattestedRange | null {
  const range = exactObject(value, ['shard', 'from', 'to', 'count']);
  const [from, to] = [range?.['from'], range?.['to']].map(readPoint);
  if (range === null || !from || !to || from.seq > to.seq) return null;
  const { shard, count } = range;
  return isCount(shard, 0) && isCount(count, 1) ? { shard, from, to, count } : null;
}

function readPoint(value: JsonValue | undefined): { seq: number; hash: string } | null {
  const point = exactObject(value, ['seq', 'hash']);
  if (point === null) return null;
  const { seq, hash } = point;
  return isCount(seq, 1) && typeof hash === 'string' && HEX_SHA256.test(hash) ? { seq, hash } : null;
}

function isCount(value: JsonValue | undefined, least: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
}

function registered(state: KeyRegistryState, kid: JsonValue | undefined, pointer: string): RegisteredKey {
  const known = typeof kid === 'string' ? state.keys.get(kid) : undefined;
  if (known === undefined) throw refuse(pointer, `${JSON.stringify(kid)} is not registered`);
  return known;
}

function refuse(pointer: string, message: string): EvidenceError {
  return new EvidenceError('invalid_registry_event', `The registry event does not fit: ${message}.`, {
    pointer,
  });
}

export function samePublicKey(a: string, b: string): boolean {
  if (a === b) return true;
  const left = checkedKeyOfPem(a);
  const right = checkedKeyOfPem(b);
  return left.every((byte, i) => right[i] === byte);
}
