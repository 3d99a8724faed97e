import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type ReasonTrace } from '#openapi/kernel';
import { assertOwn, divisionOf, type Scope, withinScope } from '#platform/edge';
import { AuditIndex } from '#platform/audit-stream';
import { type AuditEvent } from '#evidence';
import { EventStore, type StoredEvent } from '#platform/event-store';
import { type Cause, causesOf, hasHistory, noteOf, restsOn } from './domain/causes';
import { AuditError } from './domain/audit.error';

/** Back to the causes of something, or on to its effects. */
export type TraceDirection = ReasonTrace['direction'];
type TraceStep = ReasonTrace['trace'][number];

/** Why something is as it is: the events that it rests on, and those that they rest on; or the other way round. */
export class GetReason extends Query<ReasonTrace> {
  constructor(
    /** An event's id, a stream (`agent/a-1`), or the id of a division, agent, upgrade or manifest. */
    readonly node: string,
    readonly scope: Scope,
    readonly direction: TraceDirection = 'causes',
    /** Largest number of steps to go; null: all of them. */
    readonly depth: number | null = null,
  ) {
    super();
  }
}

/** Events in one trace. */
const MAX_STEPS = 200;
/** Effects of one event of one kind: a division has thousands of agents. */
const MAX_EFFECTS = 50;
/** Nouns that an id can belong to when it is no stream and no event. */
const NOUNS = ['agent', 'division', 'upgrade', 'manifest'];
const STREAM = /^[a-z][a-z0-9_-]*\/./;

/** Reads the chain alone: each event names what it rests on. The index only finds the events that name a given one. */
@QueryHandler(GetReason)
export class GetReasonHandler implements IQueryHandler<GetReason, ReasonTrace> {
  constructor(
    private readonly store: EventStore,
    private readonly index: AuditIndex,
  ) {}

  async execute({ node, scope, direction, depth }: GetReason): Promise<ReasonTrace> {
    const { event, kind } = await this.start(node, direction);
    assertOwn(scope, divisionOf(event.stream, event.payload), 'This');
    const trace = new Trace(this.store, this.index, scope);
    const { steps, truncated } = await trace.from(event, direction, depth ?? MAX_STEPS);
    return { node, direction, kind, stream: event.stream, trace: steps, truncated };
  }

  /** The event itself; for an aggregate its last, which rests on all before it, or its first, the origin of all. */
  private async start(
    node: string,
    direction: TraceDirection,
  ): Promise<{ event: AuditEvent; kind: ReasonTrace['kind'] }> {
    const byId = await this.store.getById(node);
    if (byId !== null) return { event: byId.event, kind: 'event' };
    const streams = STREAM.test(node) ? [node] : NOUNS.map((noun) => `${noun}/${node}`);
    const found: AuditEvent[] = [];
    const order = direction === 'causes' ? 'newest' : 'oldest';
    for (const stream of streams) {
      const { events } = await this.store.query({ stream, order, limit: 1 });
      found.push(...events.map(({ event }) => event));
    }
    const [event] = found;
    if (event === undefined) {
      throw new AuditError(
        'node_not_found',
        `There is no event, and nothing with a history, called ${node}.`,
      );
    }
    if (found.length > 1) {
      const nodes = found.map(({ stream }) => stream);
      throw new AuditError('ambiguous_node', `${node} may be ${nodes.join(' or ')}; name one of them.`, {
        nodes,
      });
    }
    return { event, kind: 'aggregate' };
  }
}

/** One walk from an event back to its origin, or on to its effects. */
class Trace {
  private readonly histories = new Map<string, Promise<AuditEvent[]>>();

  constructor(
    private readonly store: EventStore,
    private readonly index: AuditIndex,
    private readonly scope: Scope,
  ) {}

  /** Returns the nearest first, so that the farthest are left out. */
  async from(
    start: AuditEvent,
    direction: TraceDirection,
    depth: number,
  ): Promise<{ steps: TraceStep[]; truncated: boolean }> {
    const steps = new Map<string, Omit<TraceStep, 'step'>>();
    let truncated = false;
    let next = [start];
    for (let distance = 0; next.length > 0; distance++) {
      const further: AuditEvent[] = [];
      for (const event of next) {
        if (steps.has(event.id)) continue;
        if (steps.size >= MAX_STEPS || distance > depth) {
          truncated = true;
          break;
        }
        const visible = withinScope(this.scope, divisionOf(event.stream, event.payload));
        const causes = visible ? await this.causes(event) : [];
        if (direction === 'causes') further.push(...causes.map(({ cause }) => cause));
        else if (visible) {
          const { effects, more } = await this.effects(event);
          further.push(...effects);
          truncated ||= more;
        }
        steps.set(event.id, stepOf(event, distance, visible, causes));
      }
      next = further;
    }
    const ordered = [...steps.values()].sort(
      (a, b) => a.ts.localeCompare(b.ts) || comparePositions(a.position, b.position),
    );
    return { steps: ordered.map((step, n) => ({ step: n + 1, ...step })), truncated };
  }

  private async causes(event: AuditEvent): Promise<{ relation: string; cause: AuditEvent }[]> {
    const found = await Promise.all(
      causesOf(event).map(async ({ relation, event: named }) => ({
        relation,
        cause: await this.find(named),
      })),
    );
    // A named event that does not exist is no cause: callers' payloads may name anything.
    return found.flatMap(({ relation, cause }) => (cause === null ? [] : [{ relation, cause }]));
  }

  /** The events that name the event as their basis: by id, by their place after it, or as what an agent did next. */
  private async effects(event: AuditEvent): Promise<{ effects: AuditEvent[]; more: boolean }> {
    const { id, stream, streamVersion, ts, shard, seq: afterSeq } = event;
    const limit = MAX_EFFECTS + 1;
    const next = hasHistory(stream) ? (await this.history(stream))[streamVersion] : undefined;
    const [noun = '', name = ''] = [
      stream.slice(0, stream.indexOf('/')),
      stream.slice(stream.indexOf('/') + 1),
    ];
    const searches: Promise<StoredEvent[]>[] = [this.index.naming({ because: id }, limit)];
    if (noun === 'upgrade') searches.push(this.index.naming({ upgradeId: name, shard, afterSeq }, limit));
    if (noun === 'agent') {
      // Evaluations name the state that the agent was in, so those of this state are the first ones since.
      const since = this.index.query({ stream: `eval/${name}`, from: ts, limit });
      searches.push(since.then(({ events }) => events));
    }
    const found = (await Promise.all(searches)).map((events) => events.map((one) => one.event));
    if (next !== undefined) found.push([next]);
    const effects = new Map<string, AuditEvent>();
    let more = false;
    for (const candidates of found) {
      const resting = candidates.filter((one) => restsOn(one, event, next));
      more ||= resting.length > MAX_EFFECTS;
      for (const effect of resting.slice(0, MAX_EFFECTS)) effects.set(effect.id, effect);
    }
    return { effects: [...effects.values()], more };
  }

  private async find(named: Cause['event']): Promise<AuditEvent | null> {
    if ('id' in named) return (await this.store.getById(named.id))?.event ?? null;
    const history = await this.history(named.stream);
    if ('version' in named) return history[named.version - 1] ?? null;
    const { shard, seq } = named.lastBefore;
    return history.findLast((event) => event.shard === shard && event.seq < seq) ?? null;
  }

  private history(stream: string): Promise<AuditEvent[]> {
    let history = this.histories.get(stream);
    if (history === undefined) {
      history = this.store.loadStream(stream).then((events) => events.map(({ event }) => event));
      this.histories.set(stream, history);
    }
    return history;
  }
}

function stepOf(
  event: AuditEvent,
  distance: number,
  visible: boolean,
  causes: readonly { relation: string; cause: AuditEvent }[],
): Omit<TraceStep, 'step'> {
  const { id, shard, seq, ts, type, stream, actor, hash } = event;
  const where = { id, position: `${shard}:${seq}`, ts, distance };
  if (!visible) {
    return {
      ...where,
      withheld: true,
      type: null,
      stream: null,
      actor: null,
      note: null,
      hash: null,
      because: [],
    };
  }
  const because = causes.map(({ relation, cause }) => ({ relation, id: cause.id }));
  return { ...where, withheld: false, type, stream, actor, note: noteOf(event), hash, because };
}

function comparePositions(a: string, b: string): number {
  const [shardA = 0, seqA = 0] = a.split(':').map(Number);
  const [shardB = 0, seqB = 0] = b.split(':').map(Number);
  return shardA - shardB || seqA - seqB;
}
