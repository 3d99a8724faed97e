import { type JsonObject, verifyManifestEnvelope } from '#evidence';
import { type HttpAnswer, type MtlsClient } from '#dev/testing';
import { type SignAnswer } from '#openapi/kernel';
import { type Chain } from './chain';

/** Longest wait for an answer: every failure has to come sooner. */
export const PATIENCE_MS = 15_000;

export interface WriteRequest {
  /** Text in every event of the request, so that each can be found in the chain. */
  name: string;
  kind: 'event' | 'batch' | 'sign';
  /** Number of events that it asks for. */
  events: number;
  stream?: string;
  /** Idempotency-Key; a request without one is sent only once. */
  key?: string;
}

/** One sending of a request. Times in milliseconds of `performance.now()`. */
export interface Attempt {
  name: string;
  kernel: number;
  startedAt: number;
  endedAt: number;
  /** `broken`: no answer, so it is not known whether it was recorded. */
  outcome: 'answered' | 'refused' | 'broken';
  /** The problem's `error`, or the reason why there is no answer. */
  word: string;
}

interface Acknowledged {
  request: WriteRequest;
  bytes: Buffer;
  events: { id: string; shard: number; seq: number; hash?: string }[];
  manifest?: { manifest: JsonObject; envelope: unknown };
}

/** Records requests and answers, and checks whether the chain agrees. */
export class Ledger {
  readonly attempts: Attempt[] = [];
  readonly acknowledged = new Map<string, Acknowledged>();
  private readonly requests = new Map<string, WriteRequest>();
  /** Answers that no fault excuses. */
  private readonly wrong: string[] = [];

  /** Sends a request once. */
  async write(client: MtlsClient, request: WriteRequest, kernel = 0): Promise<Attempt> {
    this.requests.set(request.name, request);
    const manifest: JsonObject = {
      id: request.name,
      version: '1.0.0',
      kind: 'fault-test',
      n: request.events,
    };
    const startedAt = performance.now();
    const attempt = (outcome: Attempt['outcome'], word: string): Attempt => {
      const made = { name: request.name, kernel, startedAt, endedAt: performance.now(), outcome, word };
      this.attempts.push(made);
      return made;
    };
    let answer: HttpAnswer;
    try {
      answer = await client.post(
        request.kind === 'sign' ? '/kernel/sign' : '/kernel/audit',
        bodyOf(request, manifest),
        {
          ...(request.key === undefined ? {} : { idempotencyKey: request.key }),
          signal: AbortSignal.timeout(PATIENCE_MS),
        },
      );
    } catch (error) {
      if ((error as Error).name === 'TimeoutError') {
        this.wrong.push(`${request.name}: no answer within ${PATIENCE_MS} ms`);
      }
      return attempt('broken', (error as { code?: string }).code ?? (error as Error).message);
    }
    if (answer.status === 503) {
      this.wrong.push(...problemFaults(answer).map((fault) => `${request.name}: ${fault}`));
      return attempt('refused', (answer.json as { error: string }).error);
    }
    const done = attempt('answered', '');
    try {
      this.acknowledge(request, answer, manifest);
    } catch (error) {
      this.wrong.push(`${request.name}: ${(error as Error).message}`);
    }
    return done;
  }

  /** Expects every answer to be either right or an honest refusal. */
  expectHonestAnswers(): void {
    expect(this.wrong).toEqual([]);
  }

  /**
   * Expects every acknowledged event to be in the chain once, where the answer says; for a request with unknown outcome
   * either all events or none; for a refused one none.
   */
  expectRecordedIn(chain: Chain, { origin }: { origin: string }): void {
    this.expectHonestAnswers();
    const recorded = new Map<string, string[]>();
    for (const { id, type, payload } of chain.events) {
      const name = type === 'manifest.signed' ? payload['manifestId'] : payload['request'];
      if (typeof name !== 'string') continue;
      const ids = recorded.get(name);
      if (ids === undefined) recorded.set(name, [id]);
      else ids.push(id);
    }
    const wrong: string[] = [];
    for (const [name, request] of this.requests) {
      const ids = recorded.get(name) ?? [];
      const acknowledged = this.acknowledged.get(name);
      if (acknowledged === undefined) {
        if (ids.length !== 0 && (ids.length !== request.events || this.isCertainlyRefused(name))) {
          wrong.push(`${name}: ${ids.length} of ${request.events} events are in the chain`);
        }
        continue;
      }
      const promised = acknowledged.events.map(({ id }) => id);
      if (ids.join() !== promised.join()) {
        wrong.push(`${name}: acknowledged ${promised.join()}, in the chain ${ids.join()}`);
      }
      for (const { id, ...claimed } of acknowledged.events) {
        const { shard, seq, hash } = chain.byId.get(id) ?? {};
        if (shard !== claimed.shard || seq !== claimed.seq || hash !== (claimed.hash ?? hash)) {
          wrong.push(`${name}: ${id} is at ${shard}:${seq}, not at ${claimed.shard}:${claimed.seq}`);
        }
      }
      if (acknowledged.manifest) {
        const { valid, reasons } = verifyManifestEnvelope({
          ...acknowledged.manifest,
          keys: chain.signers,
          origin,
        });
        if (!valid) wrong.push(`${name}: ${reasons.join('; ')}`);
      }
    }
    for (const name of recorded.keys()) {
      if (!this.requests.has(name)) wrong.push(`${name}: is in the chain, and nobody asked for it`);
    }
    expect(wrong).toEqual([]);
  }

  /** Only `store_unavailable` leaves the outcome of the request open, as a broken connection does. */
  private isCertainlyRefused(name: string): boolean {
    return this.attempts.every(
      (attempt) =>
        attempt.name !== name || (attempt.outcome === 'refused' && attempt.word !== 'store_unavailable'),
    );
  }

  private acknowledge(request: WriteRequest, answer: HttpAnswer, manifest: JsonObject): void {
    const { name, kind } = request;
    const expected = kind === 'sign' ? 200 : 201;
    if (answer.status !== expected) throw new Error(`status ${answer.status}: ${answer.text}`);
    const before = this.acknowledged.get(name);
    if (before && !before.bytes.equals(answer.bytes)) throw new Error('another answer than before');
    const position = String((answer.json as { position: unknown }).position);
    const [shard, lastSeq] = position.split(':').map(Number);
    if (kind === 'sign') {
      const { audit_id: id, signature_record: record } = answer.json as SignAnswer;
      if (record.manifest_id !== name) throw new Error(`signed ${record.manifest_id}`);
      this.acknowledged.set(name, {
        request,
        bytes: answer.bytes,
        events: [{ id, shard: Number(shard), seq: Number(lastSeq) }],
        manifest: { manifest, envelope: record.envelope },
      });
      return;
    }
    const { events } = answer.json as { events: Required<Acknowledged['events'][number]>[] };
    const first = Number(lastSeq) - request.events + 1;
    events.forEach((event, index) => {
      if (event.shard !== shard || event.seq !== first + index) {
        throw new Error(`event ${index} is at ${event.shard}:${event.seq}, the position is ${position}`);
      }
    });
    if (events.length !== request.events) throw new Error(`${events.length} events`);
    this.acknowledged.set(name, { request, bytes: answer.bytes, events });
  }
}

export function slowest(attempts: readonly Attempt[]): number {
  return Math.max(0, ...attempts.map(({ startedAt, endedAt }) => endedAt - startedAt));
}

function bodyOf(request: WriteRequest, manifest: JsonObject): unknown {
  const { name, kind, stream = `fault/${name}` } = request;
  if (kind === 'sign') return { manifest };
  const events = Array.from({ length: request.events }, (_, index) => ({
    type: 'fault.tested',
    stream,
    payload: { request: name, index, of: request.events },
  }));
  return kind === 'event' ? events[0] : { events };
}

/** Faults of a 503: it has to say why, when to try again, and where the log explains it. */
export function problemFaults({ status, headers, json }: HttpAnswer): string[] {
  const problem = json as Record<string, unknown>;
  const wrong: string[] = [];
  if (headers['content-type'] !== 'application/problem+json') wrong.push('it is no problem+json');
  if (problem['status'] !== status) wrong.push(`its status is ${String(problem['status'])}`);
  if (!/^[1-9][0-9]*$/.test(String(headers['retry-after']))) wrong.push('it has no Retry-After');
  if (typeof problem['error_id'] !== 'string') wrong.push('it has no error_id');
  return wrong.map((what) => `${status} ${String(problem['error'])}: ${what}`);
}
