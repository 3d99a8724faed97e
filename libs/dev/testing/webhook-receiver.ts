import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo } from 'node:net';

export interface ReceivedWebhook {
  id: string;
  type: string;
  /** Whether it is signed with the secret, over exactly this body, within five minutes. */
  authentic: boolean;
  signatures: string[];
  body: { type: string; timestamp: string; data: Record<string, unknown> };
  at: number;
  /** As it came, for other verifiers. */
  raw: { headers: Record<string, string>; text: string };
}

/** What the receiver does with a request: answer with a status and headers, hang, or drop the connection. */
export type ReceiverMood = { status: number; headers?: Record<string, string> } | 'hang' | 'drop';

/** A receiver of webhooks on this machine; it checks signatures by the text of Standard Webhooks, with no code of libs/platform/webhooks. */
export class WebhookReceiver {
  readonly received: ReceivedWebhook[] = [];
  mood: ReceiverMood = { status: 204 };
  readonly #key: Buffer;
  private server: ReturnType<typeof createHttpServer> | undefined;
  private port = 0;

  private constructor(
    key: Buffer,
    private readonly tls: { cert: string; key: string } | null,
  ) {
    this.#key = key;
  }

  static async start(tls: { cert: string; key: string } | null = null): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(randomBytes(32), tls);
    await receiver.listen();
    return receiver;
  }

  get url(): string {
    return `${this.tls === null ? 'http' : 'https'}://127.0.0.1:${this.port}/hook`;
  }

  /** Secret as in the endpoint's file. */
  get secret(): string {
    return `whsec_${this.#key.toString('base64')}`;
  }

  /** Listens, on the port that it had before. */
  async listen(): Promise<void> {
    const handle = (request: IncomingMessage, response: ServerResponse) => void this.take(request, response);
    const server = this.tls === null ? createHttpServer(handle) : createHttpsServer(this.tls, handle);
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
  }

  /** Stops listening. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** Waits until enough that fits was received. */
  async until(
    fits: (one: ReceivedWebhook) => boolean,
    count = 1,
    timeoutMs = 20_000,
  ): Promise<ReceivedWebhook[]> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const found = this.received.filter(fits);
      if (found.length >= count) return found;
      if (Date.now() > end) {
        const seen = this.received.map(({ type }) => type).join(', ') || 'nothing';
        throw new Error(
          `${found.length} of ${count} webhooks came within ${timeoutMs} ms; received: ${seen}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const header = (name: string) => String(request.headers[name] ?? '');
    const [id, timestamp] = [header('webhook-id'), header('webhook-timestamp')];
    const signatures = header('webhook-signature').split(' ');
    const expected = createHmac('sha256', this.#key).update(`${id}.${timestamp}.${text}`).digest();
    const fresh = Math.abs(Date.now() / 1_000 - Number(timestamp)) < 300;
    const signed = signatures.some((one) => {
      const given = Buffer.from(one.replace(/^v1,/, ''), 'base64');
      return one.startsWith('v1,') && given.length === expected.length && timingSafeEqual(given, expected);
    });
    const body = JSON.parse(text) as ReceivedWebhook['body'];
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    this.received.push({
      id,
      type: body.type,
      authentic: signed && fresh,
      signatures,
      body,
      at: Date.now(),
      raw: { headers, text },
    });
    const { mood } = this;
    if (mood === 'hang') return;
    if (mood === 'drop') {
      request.socket.destroy();
      return;
    }
    response.writeHead(mood.status, mood.headers).end();
  }
}
