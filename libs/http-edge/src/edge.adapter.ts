import { once } from 'node:events';
import { type ServerResponse } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';
import { BytesAnswer, NdjsonAnswer } from './answers';

const NEWLINE = Buffer.from('\n');

export interface StreamOptions {
  /** A reader that takes nothing for this long is gone. */
  readonly stalledReaderMs: number;
  /** Called when an answer fails, possibly after its head is out. */
  readonly onFailure: (error: unknown, response: ServerResponse) => void;
}

/** Nest over Express 5, writing answers itself: Express would add an ETag, content negotiation and 20 us to each. */
export class EdgeAdapter extends ExpressAdapter {
  constructor(
    instance: unknown,
    private readonly streams: StreamOptions,
  ) {
    super(instance);
  }

  override reply(response: ServerResponse, body: unknown, statusCode?: number): unknown {
    if (statusCode !== undefined) response.statusCode = statusCode;
    if (body instanceof BytesAnswer) {
      response.statusCode = body.status;
      return send(response, body.contentType, body.body);
    }
    if (body instanceof NdjsonAnswer) {
      const { stalledReaderMs, onFailure } = this.streams;
      return sendLines(response, body.pages, stalledReaderMs).catch((error: unknown) =>
        onFailure(error, response),
      );
    }
    if (body === undefined || body === null) return response.end();
    return send(response, 'application/json', JSON.stringify(body));
  }
}

function send(response: ServerResponse, type: string, body: string | Uint8Array): ServerResponse {
  setContentType(response, type);
  // Node counts the bytes that it sends, and for HEAD those are none (RFC 9110 section 9.3.2).
  if (response.req.method === 'HEAD') response.setHeader('Content-Length', Buffer.byteLength(body));
  return response.end(body);
}

function setContentType(response: ServerResponse, type: string): void {
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', type);
}

/** Waits for a slow reader instead of buffering for it, and stops reading the source when the reader is gone. */
async function sendLines(
  response: ServerResponse,
  pages: AsyncIterable<readonly Uint8Array[]>,
  stalledReaderMs: number,
): Promise<void> {
  setContentType(response, 'application/x-ndjson');
  if (response.req.method === 'HEAD') {
    response.end();
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.setTimeout(stalledReaderMs, () => response.destroy());
  for await (const page of pages) {
    if (response.destroyed || gone.signal.aborted) return;
    const lines: Uint8Array[] = [];
    for (const document of page) lines.push(document, NEWLINE);
    if (response.write(Buffer.concat(lines))) continue;
    try {
      await once(response, 'drain', { signal: gone.signal });
    } catch {
      return;
    }
  }
  response.end();
}
