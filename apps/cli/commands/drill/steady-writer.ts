import { setTimeout as delay } from 'node:timers/promises';
import { KernelApiClient } from '../../api/kernel-api.client';
import { type Connection } from '../../api/connection';
import { DrillFault } from './drill-fault';

/** Between two writes. */
const PAUSE_MS = 100;
const TYPE = 'drill.written';

/** One acknowledged write, by the clock of this process. */
export interface Acknowledged {
  readonly id: string;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** Writes one event after the other, as a service would, and remembers what was acknowledged: what must never be missing. */
export class SteadyWriter {
  readonly acknowledged: Acknowledged[] = [];
  private refusals = 0;
  private lastRefusal = '';
  private readonly client: KernelApiClient;
  private readonly ended = new AbortController();
  private readonly work: Promise<void>;
  private number = 0;

  constructor(connection: Connection) {
    this.client = new KernelApiClient(connection);
    this.work = this.write().finally(() => this.client.close());
  }

  /** Waits for writes that were sent after this call. @throws DrillFault when there are none in time */
  async untilAcknowledged(count: number, timeoutMs: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    await this.until(() => this.acknowledged.length >= goal, timeoutMs, 'Writes are not acknowledged');
  }

  /** @returns how a write was refused that was sent after this call */
  async untilRefused(timeoutMs: number): Promise<string> {
    const before = this.refusals;
    await this.until(() => this.refusals > before, timeoutMs, 'Writes are not refused');
    return this.lastRefusal;
  }

  /** Also when it has stopped. */
  stop(): Promise<void> {
    this.ended.abort();
    return this.work;
  }

  private async until(isSo: () => boolean, timeoutMs: number, problem: string): Promise<void> {
    for (const end = performance.now() + timeoutMs; !isSo(); await delay(PAUSE_MS / 2)) {
      if (performance.now() > end) throw new DrillFault(`${problem} after ${timeoutMs / 1000} s`);
    }
  }

  private async write(): Promise<void> {
    while (!this.ended.signal.aborted) {
      const sentAt = performance.now();
      this.number += 1;
      // Of a write whose answer did not come nobody knows whether it was made; its key finds out.
      const key = `drill-${this.number}`;
      try {
        const answer = await this.client.post(
          '/kernel/audit',
          JSON.stringify({ type: TYPE, payload: { number: this.number } }),
          { 'idempotency-key': key },
        );
        const { events } = JSON.parse(answer) as { events: { id: string }[] };
        const answeredAt = performance.now();
        this.acknowledged.push(...events.map(({ id }) => ({ id, sentAt, answeredAt })));
      } catch (error) {
        this.refusals += 1;
        this.lastRefusal = (error as Error).message;
      }
      await delay(PAUSE_MS);
    }
  }
}
