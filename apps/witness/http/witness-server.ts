import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { type Logger } from '#platform/process';
import { type Answer, type Refusal, type Witness } from '../cosign/witness';

export interface WitnessServerOptions {
  witness: Witness;
  host: string;
  port: number;
  /** PEM; null for plain HTTP. */
  tls: { cert: Buffer; key: Buffer } | null;
  logger: Logger;
}

export interface RunningWitnessServer {
  port: number;
  renewTls(tls: { cert: Buffer; key: Buffer }): void;
  /** Takes no more requests, and settles when those under way are answered. */
  close(): Promise<void>;
}

/** 63 hashes, and a checkpoint with a hundred signatures. */
const MAX_BODY_BYTES = 65_536;
/** A whole request has to be there by then. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 512;

/** Status of each refusal (c2sp.org/tlog-witness, "add-checkpoint"). */
const STATUS: Record<Refusal, number> = {
  malformed: 400,
  unknown_log: 404,
  bad_signature: 403,
  old_size: 409,
  smaller: 409,
  split_view: 409,
  inconsistent: 422,
};

/** Serves `POST /add-checkpoint` and `GET /health`; nothing else is there. */
export async function startWitnessServer(options: WitnessServerOptions): Promise<RunningWitnessServer> {
  const { host, port, tls, logger } = options;
  const limits = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response, options.witness).catch((error: unknown) => {
      // The caller has gone before the end of its request.
      if (request.errored !== null) return;
      logger.error({ err: error }, 'a request to the witness failed');
      // The caller asks again; nothing was cosigned that is not on the disk.
      send(response, 500, 'The checkpoint could not be kept, so it is not cosigned; try again later.\n');
    });
  };
  const server: Server | TlsServer =
    tls === null
      ? createServer(limits, onRequest)
      : createTlsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' }, onRequest);
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    renewTls: (renewed) => {
      if ('setSecureContext' in server) server.setSecureContext({ ...renewed, minVersion: 'TLSv1.2' });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, witness: Witness): Promise<void> {
  const [path] = (request.url ?? '').split('?');
  if (path === '/health' && (request.method === 'GET' || request.method === 'HEAD')) {
    send(response, 200, 'ok\n');
    return;
  }
  if (path !== '/add-checkpoint') {
    send(response, 404, 'A witness has POST /add-checkpoint and GET /health.\n');
    return;
  }
  if (request.method !== 'POST') {
    response.setHeader('Allow', 'POST');
    send(response, 405, 'Checkpoints are submitted by POST.\n');
    return;
  }
  const body = await bodyOf(request);
  if (body === null) {
    // What is left of the body is not read.
    response.setHeader('Connection', 'close');
    send(response, 413, `A request has at most ${MAX_BODY_BYTES} bytes.\n`);
    return;
  }
  const text = decoded(body);
  if (text === null) {
    send(response, 400, 'The request is not UTF-8.\n');
    return;
  }
  sendAnswer(response, await witness.addCheckpoint(text));
}

function sendAnswer(response: ServerResponse, answer: Answer): void {
  if (answer.cosigned) {
    send(response, 200, answer.line);
    return;
  }
  const status = STATUS[answer.refusal];
  if (status === 409 && answer.size !== null) {
    send(response, status, `${answer.size}\n`, 'text/x.tlog.size');
    return;
  }
  send(response, status, `${answer.message}\n`);
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(text);
}

/** The body, or null when it is too long. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function decoded(body: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return null;
  }
}
