import { type AuditEvent } from './audit-event';
import { EvidenceError } from './evidence.error';
import { type JsonValue } from './json-value';
import { checkedKeyOfPem } from './public-key';
import { readSigner, type SignerEntry } from './signers';

/** Where and when something stands in the evidence. */
export interface EventPosition {
  shard: number;
  seq: number;
  /** RFC 3339 UTC with milliseconds. */
  ts: string;
}

export interface RegisteredKey {
  /** As the registry knows it now: status and times included. */
  entry: SignerEntry;
  added: EventPosition;
  /** From where on it signs nothing any more, whatever the reason. */
  ended: EventPosition | null;
}

/** The registry as folded from the chain's own signer events. */
export interface KeyRegistryState {
  readonly keys: ReadonlyMap<string, RegisteredKey>;
}

export const NO_KEYS: KeyRegistryState = { keys: new Map() };

type RegistryEvent = Pick<AuditEvent, 'type' | 'stream' | 'payload' | 'shard' | 'seq' | 'ts'>;

const REGISTRY_TYPES = new Set(['signer.added', 'signer.rotated', 'signer.retired', 'signer.compromised']);

/** Whether an event speaks for the registry: one of the four types, in a stream `signer/<kid>`. */
export function isRegistryEvent(event: Pick<AuditEvent, 'type' | 'stream'>): boolean {
  return event.stream.startsWith('signer/') && REGISTRY_TYPES.has(event.type);
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
      return added(state, event, payload['to'], '/payload/to');
    case 'signer.retired':
      return ended(state, event, 'retired', 'retiredAt');
    default:
      return ended(state, event, 'compromised', 'compromisedAt');
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
  const { shard, seq, ts } = event;
  return {
    keys: new Map(state.keys).set(entry.signer_kid, { entry, added: { shard, seq, ts }, ended: null }),
  };
}

function ended(
  state: KeyRegistryState,
  event: RegistryEvent,
  status: 'retired' | 'compromised',
  member: 'retiredAt' | 'compromisedAt',
): KeyRegistryState {
  const known = registered(state, event.payload['signer_kid'], '/payload/signer_kid');
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

/** The same fold for readers that need the entries alone, as signers.json shows them. */
export function evolveSigners(signers: readonly SignerEntry[], event: RegistryEvent): SignerEntry[] {
  const { shard, seq, ts } = event;
  const keys = signers.map((entry): [string, RegisteredKey] => [
    entry.signer_kid,
    { entry, added: { shard, seq, ts }, ended: entry.status === 'active' ? null : { shard, seq, ts } },
  ]);
  return registeredSigners(evolveKeys({ keys: new Map(keys) }, event));
}
