import { setTimeout as delay } from 'node:timers/promises';
import createClient, { type Client } from 'openapi-fetch';
import { Agent, fetch as undiciFetch, Request as UndiciRequest } from 'undici';
import { type components, type operations, type paths } from '#openapi/kernel';
import { KernelError } from './kernel-error';
import { messagesIn } from './event-stream';
import { type KernelClientOptions } from './options';
import { retryingFetch } from './retrying-fetch';

type Schemas = components['schemas'];
export type NewEvent = Schemas['NewEvent'];
/** Where an event was recorded. */
export type AppendedEvent = Schemas['AppendAnswer']['events'][number];
/** Filters of the list and of the stream. */
export type EventFilters = NonNullable<operations['streamEvents']['parameters']['query']>;

/** How durable a write should be when it is answered. */
type Await = 'committed' | 'published' | 'archived' | 'logged';

const CONNECTIONS = 16;
const RECONNECT_MS = 1_000;
/** The kernel sends something every 15 s; a stream on which nothing comes for three times that is dead. */
const STREAM_SILENCE_MS = 45_000;

/**
 * Calls the kernel over mutual TLS. `api` is the whole contract, typed; the methods are what most callers need.
 * Every method throws a KernelError when the kernel refuses.
 */
export class KernelClient {
  /** Every operation: `await kernel.api.GET('/kernel/division/{id}', { params: { path: { id } } })`. */
  readonly api: Client<paths>;
  private readonly agent: Agent;

  constructor(private readonly options: KernelClientOptions) {
    const { url, ca, cert, key, connections = CONNECTIONS, retry } = options;
    const pem = (text: string | Uint8Array) => (typeof text === 'string' ? text : Buffer.from(text));
    this.agent = new Agent({
      connections,
      bodyTimeout: STREAM_SILENCE_MS,
      connect: { ca: pem(ca), cert: pem(cert), key: pem(key) },
    });
    this.api = createClient<paths>({
      baseUrl: new URL(url).origin,
      // undici's own, since the agent with the certificate is of the same release; the types differ in name alone.
      Request: UndiciRequest as unknown as typeof Request,
      fetch: retryingFetch(this.agent, retry) as unknown as (request: Request) => Promise<Response>,
    });
  }

  /** Records one event, or up to 1,000 together: all or none. */
  async append(
    events: NewEvent | readonly NewEvent[],
    { idempotencyKey, until }: { idempotencyKey?: string; until?: Await } = {},
  ): Promise<Schemas['AppendAnswer']> {
    const body = (Array.isArray(events) ? { events } : events) as NewEvent;
    return answered(await this.api.POST('/kernel/audit', { body, headers: writing(idempotencyKey, until) }));
  }

  /** Signs a manifest and records the signature. */
  async sign(
    manifest: Record<string, unknown>,
    { idempotencyKey, until }: { idempotencyKey?: string; until?: Await } = {},
  ): Promise<Schemas['SignAnswer']> {
    const body = { manifest };
    return answered(await this.api.POST('/kernel/sign', { body, headers: writing(idempotencyKey, until) }));
  }

  /** One event, from the event store: there as soon as its write was answered. */
  async event(id: string): Promise<Schemas['AuditEvent']> {
    return answered(await this.api.GET('/kernel/audit/{id}', { params: { path: { id } } }));
  }

  /** The canonical bytes of an event, for `verifyEvent`. */
  async eventBytes(id: string): Promise<Uint8Array> {
    const answer = await this.api.GET('/kernel/audit/{id}', {
      params: { path: { id } },
      parseAs: 'arrayBuffer',
    });
    return new Uint8Array(answered<ArrayBuffer>(answer));
  }

  /** The proof that an event is in the published log; waits until it is. */
  async receipt(id: string): Promise<string> {
    return answered<string>(
      await this.api.GET('/kernel/audit/{id}/receipt', {
        params: { path: { id } },
        headers: { 'Kernel-Await': 'logged' },
        parseAs: 'text',
      }),
    );
  }

  /**
   * Every event that matches, page by page.
   * @param after position of a write that has to be in the list
   * @param order which come first; default: the oldest
   */
  async *events(
    filters: EventFilters = {},
    { after, order }: { after?: string; order?: 'oldest' | 'newest' } = {},
  ): AsyncGenerator<Schemas['AuditEvent']> {
    for (let cursor: string | undefined; ;) {
      const query = {
        ...filters,
        ...(order !== undefined && { order }),
        ...(cursor !== undefined && { cursor }),
      };
      const header = after === undefined ? {} : { 'Kernel-Min-Position': after };
      const page = answered<Schemas['EventPage']>(
        await this.api.GET('/kernel/audit', { params: { query }, headers: header }),
      );
      yield* page.events;
      if (page.nextCursor === null) return;
      cursor = page.nextCursor;
    }
  }

  /**
   * Events as they come, without end: it connects again whenever it has to, and goes on where it was.
   * @param after id of the last message that the caller has; keep it with what the event brought about
   */
  async *stream(
    filters: EventFilters = {},
    { after, signal }: { after?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<{ id: string; event: Schemas['AuditEvent'] }> {
    const query = new URLSearchParams(filters).toString();
    const url = `${new URL(this.options.url).origin}/kernel/audit/stream?${query}`;
    for (let last = after ?? ''; !(signal?.aborted ?? false);) {
      try {
        const answer = await undiciFetch(url, {
          dispatcher: this.agent,
          headers: last === '' ? {} : { 'last-event-id': last },
          ...(signal !== undefined && { signal }),
        });
        if (!answer.ok || answer.body === null) {
          const refusal = KernelError.of(answer.status, await answer.json().catch(() => null));
          if (answer.status < 500) throw refusal;
        } else {
          for await (const { id, data } of messagesIn(answer.body)) {
            last = id ?? last;
            if (data !== null) yield { id: last, event: JSON.parse(data) as Schemas['AuditEvent'] };
          }
        }
      } catch (error) {
        if (signal?.aborted ?? false) return;
        if (error instanceof KernelError) throw error;
      }
      await delay(RECONNECT_MS, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

function answered<T>({ data, error, response }: Answer<T>): T {
  if (data !== undefined && response.ok) return data;
  throw KernelError.of(response.status, error);
}

function writing(idempotencyKey: string | undefined, until: Await | undefined): Record<string, string> {
  return {
    ...(idempotencyKey !== undefined && { 'Idempotency-Key': idempotencyKey }),
    ...(until !== undefined && { 'Kernel-Await': until }),
  };
}
