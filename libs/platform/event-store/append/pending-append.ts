import { type Actor, type JsonObject } from '#evidence';
import { type TracePlace } from '#platform/tracing';
import { type AppendRequest, type AppendResult, type StreamVersion } from '../event-store.types';

/** One event of a request, checked, with its id; its place in the chain is not known yet. */
export interface PreparedEvent {
  readonly id: string;
  readonly type: string;
  readonly stream: string;
  /** Version that the stream must have before this event, or null for the next one. */
  readonly expectedVersion: number | null;
  readonly payload: JsonObject;
  /** Canonical text of the payload: this was checked, and is stored even if the object changes. */
  readonly canonicalPayload: string;
  /** The payload gets the member `heads`, known only under the locks of all heads; without it until then. */
  readonly statesHeads: boolean;
  readonly division: string | null;
}

/** A request that waits for its group, with everything that does not change when it is numbered again. */
export interface PendingAppend {
  readonly actor: Actor;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly events: readonly PreparedEvent[];
  /** Versions of other streams that the request was decided on. */
  readonly requires: readonly StreamVersion[];
  /** The fence of the keys that the request was decided on; null for one that does not depend on keys. */
  readonly keysAsOf: number | null;
  /** One of its events states the heads of all shards: it is a group of its own, committed under all their locks. */
  readonly statesHeads: boolean;
  /** Ids that the caller chose; those the store makes are new. */
  readonly givenIds: readonly string[];
  readonly idempotency: AppendRequest['idempotency'] | undefined;
  /** Size of the payloads, for the bounds of queue and group. */
  readonly bytes: number;
  /** `performance.now()` */
  readonly enqueuedAt: number;
  /** Where in a trace it was asked for; undefined mostly. */
  readonly trace: TracePlace | undefined;
  /** Place in the queue, kept when it has to go back. */
  ticket: number;
  /** An earlier attempt may have been committed: look for its ids before anything else. */
  uncertain: boolean;
  /** A unique index refused: check whether the ids exist. */
  checkIds: boolean;
  /** Its group failed, and one of the requests must be the cause: try it by itself. */
  alone: boolean;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
}
