import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, STATUS_CODES, type ServerResponse } from 'node:http';
import { type Duplex } from 'node:stream';
import { type Logger } from '#platform/process';
import { PROBLEM_CONTENT_TYPE, PROBLEM_TYPE_BASE } from './problems/problem-writer';

interface Refusal {
  readonly status: number;
  readonly word: string;
  readonly detail: string;
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    word: 'request_timeout',
    detail: 'The request did not arrive in time; send it again, faster.',
  },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    word: 'headers_too_large',
    detail: 'The head of the request is too large; send fewer or shorter headers.',
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    word: 'payload_too_large',
    detail: 'The chunk extensions of the request are too large; send none.',
  },
  HPE_INVALID_VERSION: {
    status: 505,
    word: 'http_version_not_supported',
    detail: 'This server speaks HTTP/1.1.',
  },
};
const MALFORMED: Refusal = {
  status: 400,
  word: 'invalid_request',
  detail: 'The request is not well-formed HTTP/1.1.',
};
const NOT_IMPLEMENTED: Refusal = {
  status: 501,
  word: 'not_implemented',
  detail: 'This server does not have that method.',
};
const TARGET_TOO_LONG: Refusal = {
  status: 414,
  word: 'uri_too_long',
  detail: 'The target of the request is too long; send less in it.',
};

/** RFC 9112 section 3: a method, a target, a version. */
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ \r\n]+ HTTP\/[0-9]\.[0-9]\r?\n/;
const UNENDED_REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ \r\n]+$/;

/** Also answers with a problem where Node's parser never gets a request (too slow, too large, malformed, CONNECT). */
export function answerRawRefusals(
  server: Server,
  logger: Pick<Logger, 'warn'>,
  onRefusal: (status: number) => void,
): void {
  const answer = (socket: Duplex, refusal: Refusal): void => {
    onRefusal(refusal.status);
    socket.end(rawAnswer(refusal, logger));
  };
  server.on(
    'clientError',
    (
      error: NodeJS.ErrnoException & { rawPacket?: Buffer },
      socket: Duplex & { _httpMessage?: ServerResponse },
    ) => {
      // The socket's current response, if any: once its head is sent, nothing can precede it.
      const answering = socket._httpMessage?.headersSent === true;
      if (error.code === 'ECONNRESET' || !socket.writable || answering) socket.destroy();
      else answer(socket, refusalOf(error.code ?? '', error.rawPacket));
    },
  );
  // A proxy's method: Node would close the connection without a word.
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => answer(socket, NOT_IMPLEMENTED));
}

function refusalOf(code: string, packet: Buffer | undefined): Refusal {
  const text = packet?.toString('latin1') ?? '';
  // RFC 9110 section 9.1: a method that nobody here knows, in a request that is one.
  if (code === 'HPE_INVALID_METHOD' && REQUEST_LINE.test(text)) return NOT_IMPLEMENTED;
  // RFC 9112 section 3: the parser ran out of room within the request line.
  if (code === 'HPE_HEADER_OVERFLOW' && UNENDED_REQUEST_LINE.test(text)) return TARGET_TOO_LONG;
  return REFUSALS[code] ?? MALFORMED;
}

function rawAnswer({ status, word, detail }: Refusal, logger: Pick<Logger, 'warn'>): string {
  const title = STATUS_CODES[status] ?? 'Error';
  const errorId = status >= 500 ? randomUUID() : undefined;
  if (errorId !== undefined) logger.warn({ error_id: errorId, error: word }, 'request refused');
  const body = JSON.stringify({
    type: PROBLEM_TYPE_BASE + word,
    title,
    status,
    detail,
    error: word,
    error_id: errorId,
  });
  return (
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: ${PROBLEM_CONTENT_TYPE}\r\n` +
    `Date: ${new Date().toUTCString()}\r\nCache-Control: no-store\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
  );
}
