import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { type MtlsClient } from '#dev/testing';
import { type AuditEvent } from '#openapi/kernel';

/**
 * A client of GET /kernel/audit/stream, as a careful one is: it connects again whenever its connection ends, to each kernel in
 * turn, with the id of the last message that it had.
 */
export class EventStreamReader {
  readonly events: AuditEvent[] = [];
  lastId = '';
  connections = 0;
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  constructor(
    private readonly kernels: readonly MtlsClient[],
    private readonly query = '',
    lastId = '',
  ) {
    this.lastId = lastId;
    this.running = this.run();
  }

  /** Resolves when the reader has been told where the stream begins. */
  async connected(): Promise<this> {
    while (this.connections === 0) await delay(5);
    return this;
  }

  /** Waits until the reader has so many events. */
  async has(count: number): Promise<AuditEvent[]> {
    while (this.events.length < count) await delay(5);
    return this.events;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    for (let attempt = 0; !this.stopping.signal.aborted; attempt += 1) {
      const kernel = this.kernels[attempt % this.kernels.length] as MtlsClient;
      await this.read(kernel).catch(() => undefined);
      if (!this.stopping.signal.aborted) await delay(20);
    }
  }

  private async read(kernel: MtlsClient): Promise<void> {
    const headers: Record<string, string> = this.lastId === '' ? {} : { 'last-event-id': this.lastId };
    const { statusCode, body } = await kernel.stream(
      `/kernel/audit/stream?${this.query}`,
      headers,
      this.stopping.signal,
    );
    if (statusCode !== 200) {
      await body.dump();
      return;
    }
    const parser = createParser({
      onEvent: ({ id, data }) => {
        this.lastId = id ?? this.lastId;
        this.events.push(JSON.parse(data) as AuditEvent);
      },
    });
    // The parser does not tell ids without data.
    let text = '';
    for await (const chunk of body as AsyncIterable<Buffer>) {
      text += chunk.toString('utf8');
      parser.feed(chunk.toString('utf8'));
      if (!text.endsWith('\n\n')) continue;
      this.lastId = /(?:^|\n)id: ([^\n]*)\n(?:data: [^\n]*\n)?\n$/.exec(text)?.[1] ?? this.lastId;
      text = '';
      this.connections += this.connections === 0 ? 1 : 0;
    }
  }
}
