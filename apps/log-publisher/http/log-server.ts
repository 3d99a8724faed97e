import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Archive } from '#platform/archive';
import { LogError, LogStorage, parseTilePath, servedAs } from '#platform/log';
import { type Logger } from '#platform/process';

export interface LogServerOptions {
  readonly archive: Archive;
  readonly shards: number;
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
}

export interface LogServer {
  readonly port: number;
  close(): Promise<void>;
}

const PATH = /^\/log\/(0|[1-9][0-9]{0,3})\/(checkpoint|tile\/[0-9a-z/.]{1,64})$/;
const MAX_CONNECTIONS = 1_024;
/** A client that needs longer for a request of one line is none. */
const REQUEST_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 30_000;

/**
 * Serves the public part of the log (c2sp.org/tlog-tiles) to anyone: checkpoints and hash tiles. Entry bundles hold the
 * events, so they are the kernel's service API's, for readers.
 */
export async function startLogServer(options: LogServerOptions): Promise<LogServer> {
  const { archive, shards, host, port, logger } = options;
  const storages = Array.from({ length: shards }, (_, shard) => new LogStorage(archive, shard));
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      answer(storages, request, response).catch((error: unknown) => {
        logger.warn({ err: error, url: request.url }, 'could not read the log');
        refuse(response, 503, 'The log cannot be read right now; try again.');
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.keepAliveTimeout = IDLE_TIMEOUT_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => closed(server),
  };
}

async function answer(
  storages: readonly LogStorage[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return refuse(response, 405, 'The log is only read.');
  }
  const [, shard, name = ''] = PATH.exec(request.url ?? '') ?? [];
  const storage = shard === undefined ? undefined : storages[Number(shard)];
  if (storage === undefined)
    return refuse(response, 404, 'There is no such object; see docs/transparency-log.md.');
  if (name === 'checkpoint') {
    const checkpoint = await storage.checkpoint();
    if (checkpoint === null) return refuse(response, 404, 'No checkpoint of this shard is published yet.');
    return give(response, Buffer.from(checkpoint, 'utf8'), servedAs('checkpoint'));
  }
  const tile = tileNamed(name);
  if (tile === null) return refuse(response, 404, 'There is no such object; see docs/transparency-log.md.');
  if (tile.level === 'entries') {
    return refuse(response, 403, "Entries are events: read them on the kernel's service API, as a reader.");
  }
  const bytes = await storage.get(tile);
  if (bytes === null) return refuse(response, 404, 'The log has no such tile.');
  return give(response, bytes, servedAs(tile));
}

function tileNamed(name: string): ReturnType<typeof parseTilePath> | null {
  try {
    return parseTilePath(name);
  } catch (error) {
    if (error instanceof LogError) return null;
    throw error;
  }
}

/** Node leaves the body of an answer to HEAD away. */
function give(
  response: ServerResponse,
  bytes: Uint8Array,
  { contentType, cacheControl }: ReturnType<typeof servedAs>,
): void {
  response.writeHead(200, {
    'content-type': contentType,
    'content-length': bytes.length,
    'cache-control': cacheControl,
    // Public, and read by verifiers in browsers.
    'access-control-allow-origin': '*',
    'x-content-type-options': 'nosniff',
  });
  response.end(bytes);
}

function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
  });
  response.end(`${message}\n`);
}

async function closed(server: Server): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await ended;
}
