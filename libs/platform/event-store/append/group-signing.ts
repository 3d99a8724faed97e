import { type AuditEvent, auditGroupInput, groupTree } from '#evidence';
import { answerWithin } from '#platform/resilience';
import { type GroupCommit } from './commit-group.sql';
import { type NumberedEvent, type NumberedGroup } from './group-numbering';
import { type PendingAppend } from './pending-append';
import { EventStoreError } from '../event-store.error';
import { type Answer, type EventSigner, type StoredEvent } from '../event-store.types';
import { answerMac } from '../idempotency/idempotency-store';
import { type RowKey } from '../integrity/row-key';
import { MAX_ANSWER_BYTES } from '../limits';

/** A group with everything that will be stored for it. */
export interface SignedGroup {
  commit: GroupCommit;
  events: Map<PendingAppend, StoredEvent[]>;
  answers: Map<PendingAppend, Answer>;
  /** Requests whose answer could not be made; without them the rest has to be numbered again. */
  spoilt: { pending: PendingAppend; error: EventStoreError }[];
}

export interface GroupSigningOptions {
  origin: string;
  shard: number;
  signer: EventSigner;
  /** Events that one signature may be over. */
  maxEventsPerSignature: number;
  rowKey: RowKey;
  signTimeoutMs: number;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Minimum time for a signer, however long the group has waited: many times what a working one takes. */
const MIN_SIGN_MS = 250;

/** Key id as in the format (docs/spec/audit-event.md). */
const KID = /^[\x21-\x7e]{1,255}$/;

/** What completes an event: the signature, and the event's place in what it is over. */
type Seal = Pick<AuditEvent, 'group' | 'signature'>;

/** Calls the signer and checks its answer: in time, one signature for each input, each well-formed. */
export class GroupSigning {
  constructor(private readonly options: GroupSigningOptions) {}

  /**
   * @param after the key that signed the event before the group; null when it is not known yet, or there is no such
   * event
   * @throws EventStoreError `signing_unavailable`
   */
  async activeKid(after: string | null = null): Promise<string> {
    const { signer, signTimeoutMs } = this.options;
    const kid: unknown = await this.bySigner(signTimeoutMs, async () => signer.activeKid(after));
    if (typeof kid === 'string' && KID.test(kid)) return kid;
    throw signingUnavailable(`the signer named no valid key id (${JSON.stringify(kid)})`);
  }

  /** Has the signer look up its keys now. @throws EventStoreError `signing_unavailable` */
  async lookUpKeys(): Promise<void> {
    const { signer, signTimeoutMs } = this.options;
    await this.bySigner(signTimeoutMs, async () => signer.lookUpKeys?.());
  }

  /**
   * One call for the signatures of the group, mostly a single one over all of its events, then the answers of its
   * requests.
   *
   * @throws EventStoreError `signing_unavailable`, `store_behind`
   */
  async sign(group: NumberedGroup): Promise<SignedGroup> {
    const seals = await this.sealsOf(group);
    const events: GroupCommit['events'][number][] = [];
    const answers: GroupCommit['answers'][number][] = [];
    const traces: GroupCommit['traces'][number][] = [];
    const now = this.options.now();
    const signed: SignedGroup = {
      commit: {
        shard: this.options.shard,
        base: group.base,
        head: group.head,
        signerKid: group.signerKid,
        fence: group.fence,
        events,
        answers,
        now,
        traces,
      },
      events: new Map(),
      answers: new Map(),
      spoilt: [],
    };
    let next = 0;
    for (const { pending, events: numbered } of group.accepted) {
      const stored = numbered.map((one) => {
        const event = finish(one, seals[next++]);
        events.push({ stored: event, division: one.prepared.division });
        return event;
      });
      signed.events.set(pending, stored);
      const { trace } = pending;
      if (trace?.isSampled === true) {
        const { traceparent } = trace;
        for (const { event } of stored) traces.push({ seq: event.seq, traceparent });
      }
      if (!pending.idempotency) continue;
      const { caller, key, requestHash } = pending.idempotency;
      try {
        const answer = checkedAnswer(pending.idempotency.answer(stored));
        signed.answers.set(pending, answer);
        const row = { caller, key, requestHash, ...answer };
        answers.push({ ...row, mac: answerMac(this.options.rowKey, row, now) });
      } catch (cause) {
        signed.spoilt.push({ pending, error: answerFailed(cause) });
      }
    }
    return signed;
  }

  /** Signs the events in runs of so many as one signature may be over. @returns what completes each event, in order */
  private async sealsOf(group: NumberedGroup): Promise<Seal[]> {
    const { origin, shard, maxEventsPerSignature: most } = this.options;
    const hashes = group.accepted.flatMap(({ events }) => events.map(({ sealed }) => sealed.hash));
    const inputs: Uint8Array[] = [];
    const places: { input: number; group: AuditEvent['group'] }[] = [];
    for (let n = 0; n < hashes.length; n += most) {
      const { root, paths } = groupTree(hashes.slice(n, n + most));
      const [first, count] = [group.base.seq + 1 + n, paths.length];
      for (const path of paths) places.push({ input: inputs.length, group: { first, count, path } });
      inputs.push(auditGroupInput({ origin, shard, first, count, root }));
    }
    const signatures = inputs.length === 0 ? [] : await this.signaturesOf(group, inputs);
    return places.map((place) => ({ group: place.group, signature: signatures[place.input] ?? '' }));
  }

  private async signaturesOf(group: NumberedGroup, inputs: Uint8Array[]): Promise<string[]> {
    const signatures: unknown = await this.bySigner(this.timeLeft(group), () =>
      this.options.signer.sign(group.signerKid, inputs, { committed: group.committed }),
    );
    if (Array.isArray(signatures) && signatures.length === inputs.length) return signatures as string[];
    const got = Array.isArray(signatures) ? signatures.length : 'no';
    throw signingUnavailable(`the signer returned ${got} signatures for ${inputs.length} inputs`);
  }

  /**
   * Returns the sign timeout less the wait of the group's oldest request: when the signer of another process hangs
   * while that process holds the head row, a writer that waited for the row must not wait for the signer from the
   * start.
   */
  private timeLeft({ accepted }: NumberedGroup): number {
    const { signTimeoutMs } = this.options;
    const oldest = Math.min(...accepted.map(({ pending }) => pending.enqueuedAt));
    return Math.max(signTimeoutMs - (performance.now() - oldest), Math.min(MIN_SIGN_MS, signTimeoutMs));
  }

  /** @param withinMs longest duration */
  private async bySigner<T>(withinMs: number, call: () => Promise<T>): Promise<T> {
    try {
      return await answerWithin(
        withinMs,
        (ms) => signingUnavailable(`the signer did not answer within ${Math.round(ms)} ms`),
        call(),
      );
    } catch (cause) {
      const known = cause instanceof EventStoreError;
      throw known && (cause.code === 'signing_unavailable' || cause.code === 'store_behind')
        ? cause
        : signingUnavailable((cause as Error)?.message ?? String(cause), cause);
    }
  }
}

function finish({ sealed }: NumberedEvent, seal: Seal | undefined): StoredEvent {
  try {
    return sealed.finish(seal?.signature ?? '', seal?.group);
  } catch (cause) {
    throw signingUnavailable('the signer returned something that is no Ed25519 signature', cause);
  }
}

function checkedAnswer({ status, body }: Answer): Answer {
  if (!Number.isInteger(status) || !(body instanceof Uint8Array) || body.length > MAX_ANSWER_BYTES) {
    throw new TypeError(`an answer is a status and at most ${MAX_ANSWER_BYTES} bytes`);
  }
  return { status, body };
}

function answerFailed(cause: unknown): EventStoreError {
  const message = `The answer to this request could not be made: ${(cause as Error)?.message ?? String(cause)}`;
  return new EventStoreError('invalid_request', message, {}, { cause });
}

function signingUnavailable(why: string, cause?: unknown): EventStoreError {
  return new EventStoreError(
    'signing_unavailable',
    `Nothing was committed because nothing could be signed: ${why}.`,
    { committed: false },
    { cause },
  );
}
