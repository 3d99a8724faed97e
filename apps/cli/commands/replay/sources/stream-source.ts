import {
  type AuditStreamConsumer,
  IntegrityFault,
  registryEventsOf,
  type SqlSource,
  type StreamRecord,
} from '#platform/audit-stream';
import { answerWithin } from '#platform/resilience';
import { type EventSource, type ReplayHead, type SourceBatch } from '../event-source';

/** How long the stream may stay silent before the end that the relay names counts as missing. */
const SILENCE_MS = 15_000;

/** What one shard's subscription hands over, and when that was taken. */
interface Handed {
  records: readonly StreamRecord[];
  taken: () => void;
}

/** The stream: the topic of the workers, from its oldest record to what the relay had published when reading began. */
export class StreamSource implements EventSource {
  readonly isStream = true;

  constructor(
    private readonly consumer: AuditStreamConsumer,
    private readonly sql: SqlSource,
    readonly name: string,
    private readonly silenceMs = SILENCE_MS,
  ) {}

  registryEvents(): Promise<Uint8Array[]> {
    return registryEventsOf(this.sql);
  }

  async count(behind: readonly ReplayHead[]): Promise<number> {
    const ends = await this.ends();
    return behind.reduce((sum, { shard, seq }) => sum + Math.max(0, (ends.get(shard) ?? 0) - seq), 0);
  }

  async *events(behind: readonly ReplayHead[], signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const ends = await this.ends();
    for (const head of behind) {
      const end = ends.get(head.shard) ?? 0;
      if (end > head.seq) yield* this.shard(head, end, signal);
      if (signal.aborted) return;
    }
  }

  private async *shard(head: ReplayHead, end: number, signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const { shard, seq, hash } = head;
    const done = new AbortController();
    let handed: PromiseWithResolvers<Handed | null> = Promise.withResolvers();
    const subscription = this.consumer.consume(
      shard,
      { seq, hash, cursor: null },
      (records) => new Promise((taken) => handed.resolve({ records, taken })),
      AbortSignal.any([signal, done.signal]),
    );
    subscription.then(
      () => handed.resolve(null),
      (error: unknown) => handed.reject(error as Error),
    );
    let reached = seq;
    let release = (): void => undefined;
    try {
      while (reached < end) {
        const next = await answerWithin(
          this.silenceMs,
          () => this.gapAfter(shard, reached, end),
          handed.promise,
        );
        if (next === null) return;
        const { records, taken } = next;
        release = taken;
        handed = Promise.withResolvers();
        handed.promise.catch(() => undefined);
        reached = Math.max(reached, ...records.map(({ bytes }) => seqOf(bytes)));
        yield { shard, records };
        release();
      }
    } finally {
      done.abort();
      // The subscription ends when its handler has: with what was taken, and with what no one will take.
      release();
      void handed.promise.then(
        (left) => left?.taken(),
        () => undefined,
      );
      await subscription.catch(() => undefined);
    }
  }

  private gapAfter(shard: number, reached: number, end: number): IntegrityFault {
    return new IntegrityFault(
      'gap',
      shard,
      reached + 1,
      `${this.name}: shard ${shard} ends at position ${reached}, but the relay has published up to ${end}.`,
    );
  }

  private async ends(): Promise<Map<number, number>> {
    const rows = (await this.sql.query('SELECT shard, seq FROM kernel.relay_cursors')) as {
      shard: number;
      seq: string;
    }[];
    return new Map(rows.map(({ shard, seq }) => [shard, Number(seq)]));
  }

  close(): Promise<void> {
    return this.consumer.close();
  }
}

/** 0 for what is no event: the verifier says so. */
function seqOf(bytes: Uint8Array): number {
  const found = /"prevHash":"[0-9a-f]*","seq":(\d{1,15}),"shard":/.exec(Buffer.from(bytes).toString());
  return Number(found?.[1] ?? 0);
}
