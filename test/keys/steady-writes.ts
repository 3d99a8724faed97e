import { setTimeout as delay } from 'node:timers/promises';
import { type MtlsClient } from '#dev/testing';

export interface Written {
  status: number;
  error: string | undefined;
  /** `performance.now()` of the answer. */
  at: number;
}

/** Writers that each send events at a steady pace, whatever the answers are, and remember every answer. */
export class SteadyWrites {
  readonly answers: Written[] = [];
  private running = true;
  private readonly writers: Promise<void>[];

  constructor(clients: readonly MtlsClient[], perSecond: number) {
    const count = 20;
    const pauseMs = (1_000 * count) / perSecond;
    this.writers = Array.from({ length: count }, async (_, writer) => {
      const client = clients[writer % clients.length] as MtlsClient;
      for (let n = 0, next = performance.now(); this.running; n++) {
        const answer = await client.request('POST', '/kernel/audit', {
          json: { type: 'thing.changed', stream: `thing/${writer}-${n % 5}`, payload: { writer, n } },
        });
        const { error } = (answer.json ?? {}) as { error?: string };
        this.answers.push({ status: answer.status, error, at: performance.now() });
        next += pauseMs;
        await delay(Math.max(0, next - performance.now()));
      }
    });
  }

  /** Waits until this many more writes have been accepted. */
  async taken(more: number): Promise<void> {
    const goal = this.count() + more;
    const deadline = performance.now() + 60_000;
    while (this.count() < goal) {
      if (performance.now() > deadline) throw new Error(`${goal} writes were not taken in time`);
      await delay(20);
    }
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.writers);
  }

  /** Distinct answers other than success: status and error. */
  refusals(since = 0): string[] {
    return [
      ...new Set(
        this.answers
          .filter(({ status, at }) => status !== 201 && at >= since)
          .map(({ status, error }) => `${status} ${error}`),
      ),
    ];
  }

  private count(): number {
    return this.answers.filter(({ status }) => status === 201).length;
  }
}
