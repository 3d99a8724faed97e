import { setTimeout as delay } from 'node:timers/promises';
import { type MtlsClient } from '#dev/testing';
import { type Ledger, type WriteRequest } from './ledger';
import { until } from './until';

/** Pause of one writer between a refusal and its next attempt. */
const PAUSE_MS = 50;
/** Time within which a request with a key has to be acknowledged. */
const LAST_ANSWER_MS = 30_000;

/** The n-th request of a mix: single events, batches and signatures, in their own and in contested streams. */
export function requestOfMix(n: number, name: string): WriteRequest {
  const own = n % 3 !== 0;
  const stream = own ? `fault/${name}` : `fault/contested-${n % 7}`;
  switch (n % 4) {
    case 0:
      return { name, kind: 'sign', events: 1 };
    case 1:
      return { name, kind: 'batch', events: 2 + (n % 13), stream };
    default:
      return { name, kind: 'event', events: 1, stream };
  }
}

/**
 * Writers that keep sending requests until they are stopped. Half of the requests have an Idempotency-Key and are sent
 * again, to the next kernel, until they are acknowledged; the others are sent once.
 */
export class Load {
  private running = true;
  private count = 0;
  private readonly writers: Promise<void>[];

  constructor(
    private readonly ledger: Ledger,
    /** One client for each kernel. */
    private readonly clients: readonly MtlsClient[],
    writers: number,
    private readonly name = 'load',
    /** Pause of each writer between an answer and its next request. */
    private readonly pauseMs = 0,
  ) {
    this.writers = Array.from({ length: writers }, (_, writer) => this.write(writer));
  }

  /** Waits until this many more requests have been acknowledged. */
  async progress(requests: number): Promise<void> {
    const goal = this.ledger.acknowledged.size + requests;
    await until(`${requests} more acknowledged writes`, () => this.ledger.acknowledged.size >= goal);
  }

  /** Stops the writers; resolves when every request with a key has its answer. */
  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.writers);
  }

  private async write(writer: number): Promise<void> {
    while (this.running) {
      const n = this.count++;
      const name = `${this.name}-${n}`;
      const request = requestOfMix(n, name);
      if (n % 8 < 4) request.key = `key-${name}`;
      let kernel = writer % this.clients.length;
      const deadline = performance.now() + LAST_ANSWER_MS;
      for (;;) {
        const { outcome } = await this.ledger.write(this.clients[kernel] as MtlsClient, request, kernel);
        if (outcome === 'answered') break;
        await delay(PAUSE_MS);
        if (request.key === undefined) break;
        if (performance.now() > deadline)
          throw new Error(`${name} was not acknowledged in ${LAST_ANSWER_MS} ms`);
        kernel = (kernel + 1) % this.clients.length;
      }
      if (this.pauseMs > 0) await delay(this.pauseMs);
    }
  }
}
