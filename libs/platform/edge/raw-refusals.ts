import { type Server, STATUS_CODES, type ServerResponse } from 'node:http';
import { type Duplex } from 'node:stream';
import { PROBLEM_CONTENT_TYPE, PROBLEM_TYPE_BASE } from './problems/problem-writer';

const REFUSALS: Readonly<Record<string, { status: number; word: string; detail: string }>> = {
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
};
const MALFORMED = {
  status: 400,
  word: 'invalid_request',
  detail: 'The request is not well-formed HTTP/1.1.',
};

/** Also answers with a problem where Node's parser never gets a request (too slow, too large, malformed). */
export function answerRawRefusals(server: Server, onRefusal: (status: number) => void): void {
  server.on(
    'clientError',
    (error: NodeJS.ErrnoException, socket: Duplex & { _httpMessage?: ServerResponse }) => {
      // The socket's current response, if any: once its head is sent, nothing can precede it.
      const answering = socket._httpMessage?.headersSent === true;
      if (error.code === 'ECONNRESET' || !socket.writable || answering) {
        socket.destroy();
        return;
      }
      const refusal = REFUSALS[error.code ?? ''] ?? MALFORMED;
      const title = STATUS_CODES[refusal.status] ?? 'Error';
      const body = JSON.stringify({
        type: PROBLEM_TYPE_BASE + refusal.word,
        title,
        status: refusal.status,
        detail: refusal.detail,
        error: refusal.word,
      });
      onRefusal(refusal.status);
      socket.end(
        `HTTP/1.1 ${refusal.status} ${title}\r\nContent-Type: ${PROBLEM_CONTENT_TYPE}\r\n` +
          `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
  );
}
