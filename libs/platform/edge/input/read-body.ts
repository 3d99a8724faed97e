import { type IncomingMessage } from 'node:http';
import { HttpEdgeError } from '../http-edge.error';

/** Bytes of a too large body that are read and discarded, so that the client sees the refusal. */
const DISCARD_LIMIT_BYTES = 16 * 1024 * 1024;

/** Bytes of request bodies currently held, over all requests of one app. */
export class BodyBudget {
  private held = 0;

  constructor(private readonly limit: number) {}

  /** @throws HttpEdgeError `overloaded` */
  take(bytes: number): void {
    if (this.held + bytes > this.limit) {
      throw new HttpEdgeError(
        'overloaded',
        'The bodies of running requests fill the memory set aside for them.',
        {
          limit: this.limit,
        },
      );
    }
    this.held += bytes;
  }

  give(bytes: number): void {
    this.held -= bytes;
  }
}

/** Returns what a request took, however the request ends. */
export interface BodyAccount {
  bodyBytes: number;
}

/**
 * Refuses a body that is too large as soon as its length is known.
 * @throws HttpEdgeError `payload_too_large`
 */
export function assertFits(request: IncomingMessage, limit: number): void {
  if (Number(request.headers['content-length'] ?? 0) <= limit) return;
  discard(request, 0);
  throw tooLarge(limit);
}

/**
 * Reads a body of at most `limit` bytes.
 * @throws HttpEdgeError `payload_too_large`, `overloaded`, `request_aborted`.
 */
export function readBody(
  request: IncomingMessage,
  limit: number,
  budget: BodyBudget,
  account: BodyAccount,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;

    const stop = (): void => {
      request.off('data', onData);
      request.off('end', onEnd);
      request.off('close', onClose);
      request.off('error', onClose);
    };
    const refuse = (error: unknown): void => {
      stop();
      discard(request, size);
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.byteLength;
      if (size > limit) return refuse(tooLarge(limit));
      try {
        budget.take(chunk.byteLength);
      } catch (error) {
        return refuse(error);
      }
      account.bodyBytes += chunk.byteLength;
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      stop();
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size));
    };
    const onClose = (): void => {
      stop();
      reject(new HttpEdgeError('request_aborted', 'The connection was closed before the body was complete.'));
    };
    request.on('data', onData);
    request.on('end', onEnd);
    request.on('close', onClose);
    request.on('error', onClose);
  });
}

function tooLarge(limit: number): HttpEdgeError {
  return new HttpEdgeError(
    'payload_too_large',
    `The body is larger than ${limit} bytes; send less at a time.`,
    { limit },
  );
}

/**
 * Reads on after a refusal: closing with unread data would reset the connection and lose the answer (RFC 9112 section
 * 9.6).
 */
function discard(request: IncomingMessage, alreadyRead: number): void {
  let size = alreadyRead;
  request.on('data', (chunk: Buffer) => {
    size += chunk.byteLength;
    if (size > DISCARD_LIMIT_BYTES) request.socket.destroy();
  });
  request.on('error', () => undefined);
  request.resume();
}
