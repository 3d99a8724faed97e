import { EventStoreError } from '../event-store.error';
import { type EventStore } from '../event-store';
import { type AppendRequest, type StoredEvent } from '../event-store.types';

/** A caller's claim to the same answer for the same request (the Idempotency-Key header). */
export interface IdempotencyClaim {
  /** Principal id: keys of different callers never meet. */
  caller: string;
  key: string;
  /** Hex SHA-256 of the request; the same key with another hash is refused. */
  requestHash: string;
}

/** An answer as bytes, so that a repeated request gets exactly the same ones. */
export interface AnswerBytes {
  status: number;
  body: Uint8Array;
}

export interface CommandAnswer extends AnswerBytes {
  /** True when an earlier request with the same key was answered with these bytes. */
  replayed: boolean;
  /** Ids of the events that this request committed; empty for a replay. */
  eventIds: string[];
}

export function answerBytes(status: number, body: object): AnswerBytes {
  return { status, body: Buffer.from(JSON.stringify(body)) };
}

/** Appends and answers; with a claim, the answer is stored in the same transaction as the events. */
export async function appendAndAnswer(
  store: EventStore,
  request: Omit<AppendRequest, 'idempotency'>,
  claim: IdempotencyClaim | null,
  answer: (committed: readonly StoredEvent[], position: string) => AnswerBytes,
): Promise<CommandAnswer> {
  const answerOf = (committed: readonly StoredEvent[]) => answer(committed, positionOf(committed));
  const result = await store.append(
    claim === null ? request : { ...request, idempotency: { ...claim, answer: answerOf } },
  );
  if (result.replayed) return { ...result.answer, replayed: true, eventIds: [] };
  const given = result.answer ?? answerOf(result.events);
  return { ...given, replayed: false, eventIds: result.events.map(({ event }) => event.id) };
}

/** Returns the earlier answer of this claim, or null. @throws EventStoreError `idempotency_mismatch` */
export async function findStoredAnswer(
  store: EventStore,
  claim: IdempotencyClaim | null,
): Promise<CommandAnswer | null> {
  if (claim === null) return null;
  const stored = await store.findAnswer(claim.caller, claim.key);
  if (stored === null) return null;
  if (stored.requestHash !== claim.requestHash) {
    throw new EventStoreError(
      'idempotency_mismatch',
      'This Idempotency-Key was used before for another request; use a new key for a new request.',
    );
  }
  return { status: stored.status, body: stored.body, replayed: true, eventIds: [] };
}

/** Answers a request that commits no event: the first answer under a claim stays its answer. */
export async function answerOnce(
  store: EventStore,
  claim: IdempotencyClaim | null,
  compute: () => Promise<AnswerBytes>,
): Promise<AnswerBytes> {
  if (claim === null) return compute();
  const stored = await findStoredAnswer(store, claim);
  if (stored) return stored;
  return store.recordAnswer({ ...claim, ...(await compute()) });
}

/** `"<shard>:<seq>"` of the last event committed. */
function positionOf(committed: readonly StoredEvent[]): string {
  const last = committed.at(-1)?.event;
  return last ? `${last.shard}:${last.seq}` : '';
}
