import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type Actor } from '#evidence';

export interface TraceStep {
  /** From 1, in the order in which it happened. */
  step: number;
  id: string;
  position: string;
  ts: string;
  /** It belongs to something that the caller may not read: that it is there is all that is said. */
  withheld: boolean;
  type: string | null;
  stream: string | null;
  actor: Actor | null;
  /** One line on what happened. */
  note: string | null;
  hash: string | null;
  /** How far from the node, in causes or effects. */
  distance: number;
  because: { relation: string; id: string }[];
}

/** Back to what something rests on, or on to what came of it. */
export type TraceDirection = 'causes' | 'effects';

export interface ReasonTrace {
  node: string;
  direction: TraceDirection;
  kind: 'event' | 'aggregate';
  /** The stream of an aggregate, or the event's own. */
  stream: string;
  trace: TraceStep[];
  /** Whether there was more than is shown. */
  truncated: boolean;
}

/** Why something is as it is: the events that it rests on, and those that they rest on. Or the other way round. */
export class GetReason extends Query<ReasonTrace> {
  constructor(
    /** An event's id, a stream (`agent/a-1`), or the id of a division, agent, upgrade or manifest. */
    readonly node: string,
    readonly scope: Scope,
    readonly direction: TraceDirection = 'causes',
    /** How far to go; null: as far as there are steps. */
    readonly depth: number | null = null,
  ) {
    super();
  }
}
