import { HEX_SHA256, type AuditEvent } from '../chain/audit-event';
import { genesisHash } from '../chain/origin';
import { isCount } from '../json/count';
import { isRfc3339 } from '../json/time';
import { base64Decode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { exactObject } from '../json/exact-object';
import { type JsonValue } from '../json/json-value';
import { type Founding, FOUNDING_STREAM, FOUNDING_TYPE, readFounding } from './founding';
import { type KeySpan } from './key-span';
import { checkedKeyOfPem } from './public-key';
import { readHeads, type StatedHead } from './shard-heads';
import { readSigner, type SignerEntry, type TrustedSigner } from './signers';

/** Position and time of an event in the evidence. The time is for people: it decides nothing. */
export interface EventPosition {
  shard: number;
  seq: number;
  /** RFC 3339 UTC with milliseconds. */
  ts: string;
}

/** A registry event as the beginning or end of a key: its own position in shard 0, and one in every other shard. */
export interface KeyMark extends EventPosition {
  /** The head of every shard when it was committed, by shard; that of shard 0 is its predecessor. */
  heads: readonly StatedHead[];
}

export interface RegisteredKey {
  /** The entry as the registry has it now, status and times included. */
  entry: SignerEntry;
  added: KeyMark;
  /** A key that a founding event adds may sign all founding events. */
  founding: boolean;
  /** Position from which it no longer signs anything, whatever the reason. */
  ended: KeyMark | null;
  /** The signatures from before its end that are in doubt, when a thief may have made some. */
  doubt: KeyDoubt | null;
}

/** Statement of a `signer.compromised` event about the signatures that were made before it. */
export interface KeyDoubt {
  /** The first position in doubt, by shard; a shard that is not listed is in doubt in all of it. */
  since: ReadonlyMap<number, number>;
  /** Events in doubt that the kernel confirms: the hash of the last names them all, through the links. */
  reattested: readonly ReattestedRange[];
  /** The event that says so. */
  by: KeyMark & { signerKid: string };
}

export interface ReattestedRange {
  shard: number;
  from: { seq: number; hash: string };
  to: { seq: number; hash: string };
  /** Events by the key in between, both included. */
  count: number;
}

/** The registry as folded from the chain's own founding and signer events. */
export interface KeyRegistryState {
  readonly keys: ReadonlyMap<string, RegisteredKey>;
  /** What event 0:1 says; null when it was not read. */
  readonly founding: Founding | null;
  /** Number of shards; null when neither the founding nor a trust root told it. */
  readonly shards: number | null;
  /** Position of the last founding event, 0 without a founding. */
  readonly foundedUntil: number;
  /** The registry events in their order, each with the heads that it states. */
  readonly marks: readonly KeyMark[];
}

export const NO_KEYS: KeyRegistryState = {
  keys: new Map(),
  founding: null,
  shards: null,
  foundedUntil: 0,
  marks: [],
};

export type RegistryEvent = Pick<
  AuditEvent,
  'type' | 'stream' | 'payload' | 'shard' | 'seq' | 'ts' | 'signerKid' | 'prevHash'
>;

/** The shard that all registry events are in, so that they have one order: that of `seq`. */
export const GOVERNANCE_SHARD = 0;

/** The types of event that make and change the registry (docs/spec/signers.md, section 3). */
export const REGISTRY_TYPES = [
  FOUNDING_TYPE,
  'signer.added',
  'signer.rotated',
  'signer.emergency',
  'signer.retired',
  'signer.compromised',
] as const;

const SIGNER_TYPES: ReadonlySet<string> = new Set(REGISTRY_TYPES.filter((type) => type !== FOUNDING_TYPE));
/** A key signs in some shards, and a shard's part in doubt is one range, or a few around events of other keys. */
const MAX_RANGES = 1_024;
/** A key a month for forty years; each addition is compared with every key before it. */
const MAX_KEYS = 512;

/** Whether an event speaks for the registry: in the stream of the founding, or a signer type in `signer/<kid>`. */
export function isRegistryEvent({ type, stream }: Pick<AuditEvent, 'type' | 'stream'>): boolean {
  return stream === FOUNDING_STREAM || (stream.startsWith('signer/') && SIGNER_TYPES.has(type));
}

/** Whether the event at this position belongs to the founding, once it is folded. */
export function isFoundingPosition(
  { foundedUntil }: KeyRegistryState,
  { shard, seq }: Pick<EventPosition, 'shard' | 'seq'>,
): boolean {
  return shard === GOVERNANCE_SHARD && seq <= foundedUntil;
}

/**
 * The registry after `event`, which come in the order of shard 0; events of other kinds change nothing. Whether its
 * signature counts is not asked here, see KeyRing.
 * @throws EvidenceError `invalid_registry_event` when the event contradicts the registry or is malformed,
 * `invalid_founding`, `weak_public_key` for a key that must not be registered.
 */
export function evolveKeys(state: KeyRegistryState, event: RegistryEvent): KeyRegistryState {
  if (!isRegistryEvent(event)) return state;
  if (event.shard !== GOVERNANCE_SHARD) {
    throw refuse('', `it is in shard ${event.shard}, and only shard ${GOVERNANCE_SHARD} has the registry`);
  }
  // Two events at one position are a fault of the chain, whatever they say; the first one counts.
  if (state.marks.some(({ seq }) => seq === event.seq)) return state;
  if (event.stream === FOUNDING_STREAM) return founded(state, event);
  const mark = markOf(state, event);
  const next = changed(state, event, mark);
  return { ...next, marks: [...next.marks, mark] };
}

function changed(state: KeyRegistryState, event: RegistryEvent, mark: KeyMark): KeyRegistryState {
  const { payload } = event;
  switch (event.type) {
    case 'signer.added':
      return added(state, mark, payload['signer'], '/payload/signer');
    case 'signer.rotated':
      registered(state, payload['from'], '/payload/from');
      counterSigned(event);
      return added(state, mark, payload['to'], '/payload/to');
    case 'signer.emergency': {
      const kid = registered(state, payload['from'], '/payload/from').entry.signer_kid;
      counterSigned(event);
      // Anyone who may have the key can also sign with it: it ends where its successor begins.
      const without = ended(state, event, mark, kid, 'compromised', 'compromisedAt');
      return added(without, mark, payload['to'], '/payload/to');
    }
    case 'signer.retired':
      return ended(state, event, mark, payload['signer_kid'], 'retired', 'retiredAt');
    default:
      return doubted(
        ended(state, event, mark, payload['signer_kid'], 'compromised', 'compromisedAt'),
        event,
        mark,
      );
  }
}

/** The registry as entries of signers.json without spans, in the order of registration. */
export function registeredSigners(state: KeyRegistryState): SignerEntry[] {
  return [...state.keys.values()].map(({ entry }) => entry);
}

/** The same with the span of each: what a signers.json of this kernel has. */
export function spannedSigners(state: KeyRegistryState): TrustedSigner[] {
  return [...state.keys.values()].map((key) => ({ ...key.entry, span: spanOf(key) }));
}

/** Where a registered key signs, by positions alone (docs/spec/signers.md, section 4). */
export function spanOf({ entry, added: begin, founding, ended: end, doubt }: RegisteredKey): KeySpan {
  // A founding key signs from the first event of shard 0 on, which comes before the one that adds it.
  const first = founding && entry.purposes.includes('audit') ? 0 : begin.seq - 1;
  return {
    after: begin.heads.map(({ shard, seq }) => ({ shard, seq: shard === GOVERNANCE_SHARD ? first : seq })),
    until:
      end === null
        ? null
        : end.heads.map(({ shard, seq }) => ({ shard, seq: shard === GOVERNANCE_SHARD ? end.seq : seq })),
    since:
      doubt === null
        ? null
        : doubt.by.heads.map(({ shard }) => ({ shard, seq: doubt.since.get(shard) ?? 1 })),
  };
}

function founded(state: KeyRegistryState, event: RegistryEvent): KeyRegistryState {
  if (event.type !== FOUNDING_TYPE || event.seq !== 1) {
    throw refuse('', `the stream ${FOUNDING_STREAM} has one event, ${FOUNDING_TYPE} at position 0:1`);
  }
  const founding = readFounding(event.payload);
  const { shard, seq, ts } = event;
  const mark = { shard, seq, ts, heads: [] };
  return { ...state, founding, shards: founding.shards, foundedUntil: 1, marks: [...state.marks, mark] };
}

function markOf(state: KeyRegistryState, { shard, seq, ts, prevHash, payload }: RegistryEvent): KeyMark {
  if (state.shards === null)
    throw refuse('', 'the kernel was not founded before it, so that its number of shards is not known');
  const read = readHeads(payload['heads'], state.shards, { seq: seq - 1, hash: prevHash });
  if (read.heads === null) throw refuse('/payload/heads', read.reason);
  const before = state.marks.at(-1);
  if (before !== undefined && before.seq >= seq) {
    throw refuse('', `it comes after ${shard}:${before.seq} in the registry`);
  }
  const back = read.heads.find((head) => head.seq < (before?.heads[head.shard]?.seq ?? 0));
  if (back !== undefined) {
    throw refuse(
      `/payload/heads/${back.shard}`,
      `shard ${back.shard} was already at ${before?.heads[back.shard]?.seq}`,
    );
  }
  const wrong = read.heads.find(({ shard: of, seq: at, hash }) => {
    return at === 0 && state.founding !== null && hash !== genesisHash(state.founding.origin, of);
  });
  if (wrong !== undefined) {
    throw refuse(`/payload/heads/${wrong.shard}`, 'the head of an empty shard has the genesis hash');
  }
  return { shard, seq, ts, heads: read.heads };
}

function added(
  state: KeyRegistryState,
  mark: KeyMark,
  value: JsonValue | undefined,
  pointer: string,
): KeyRegistryState {
  const entry = readSigner(value, pointer);
  if (entry.status !== 'active' || entry.retiredAt !== null || entry.compromisedAt !== null) {
    throw refuse(`${pointer}/status`, 'a key that has ended cannot come in');
  }
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
  if (state.keys.size >= MAX_KEYS) {
    throw refuse(pointer, `the registry has ${MAX_KEYS} keys, the most that there may be`);
  }
  for (const { entry: other } of state.keys.values()) {
    if (!samePublicKey(other.public_key_pem, entry.public_key_pem)) continue;
    // With two names, a key could go on under one after it ended under the other.
    throw refuse(
      pointer,
      `${entry.signer_kid} is the same public key as ${other.signer_kid}; make a new key`,
    );
  }
  const founding =
    pointer === '/payload/signer' &&
    mark.seq === state.foundedUntil + 1 &&
    state.foundedUntil > 0 &&
    mark.heads.every(({ shard, seq }) => shard === GOVERNANCE_SHARD || seq === 0);
  const keys = new Map(state.keys).set(entry.signer_kid, {
    entry,
    added: mark,
    founding,
    ended: null,
    doubt: null,
  });
  return { ...state, keys, foundedUntil: founding ? mark.seq : state.foundedUntil };
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
  mark: KeyMark,
  kid: JsonValue | undefined,
  status: 'retired' | 'compromised',
  member: 'retiredAt' | 'compromisedAt',
): KeyRegistryState {
  const known = registered(state, kid, '/payload/signer_kid');
  const at = event.payload[member];
  if (!isRfc3339(at)) {
    throw refuse(`/payload/${member}`, `${member} must be an RFC 3339 time`);
  }
  if (event.signerKid === known.entry.signer_kid && event.type !== 'signer.emergency') {
    // A thief would end the key where it suits them; and after it, nobody could sign.
    throw refuse('', `the end of ${event.signerKid} has to be signed by another key`);
  }
  if (known.entry.status === 'compromised' || known.entry.status === status) return state;
  return {
    ...state,
    keys: new Map(state.keys).set(known.entry.signer_kid, {
      ...known,
      entry: { ...known.entry, status, [member]: at },
      ended: known.ended ?? mark,
    }),
  };
}

/** Takes in what a `signer.compromised` event says about earlier signatures. */
function doubted(state: KeyRegistryState, event: RegistryEvent, mark: KeyMark): KeyRegistryState {
  const { payload, signerKid } = event;
  const { signer_kid: kid, since, reattested } = payload;
  const known = registered(state, kid, '/payload/signer_kid');
  // The first statement is final: a later one must not withdraw the doubt.
  if (known.doubt !== null) return state;
  const positions = readList(since ?? [], '/payload/since', (value) => {
    const one = exactObject(value, ['shard', 'seq']);
    return one !== null && isCount(one['shard'], 0) && isCount(one['seq'], 1)
      ? ([one['shard'], one['seq']] as const)
      : null;
  });
  const first = new Map(positions);
  if (first.size !== positions.length) throw refuse('/payload/since', 'it names a shard twice');
  const ranges = readList(reattested ?? [], '/payload/reattested', readRange);
  const doubt = { since: first, reattested: ranges, by: { ...mark, signerKid } };
  return { ...state, keys: new Map(state.keys).set(known.entry.signer_kid, { ...known, doubt }) };
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
