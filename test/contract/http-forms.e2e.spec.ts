import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { withStack } from '#dev/testing';
import { until } from '../faults/until';
import { ContractClient, kernelContract } from './contract.client';
import { sampleRequest } from './sample-requests';

const STATUS = '/kernel/security/status';
const JSON_EVENT = '{"type":"door.opened","payload":{}}';
const POST = 'POST /kernel/audit HTTP/1.1\r\nHost: kernel\r\nContent-Type: application/json\r\n';

interface Answer {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: string;
}

/** Requests to the bytes, and answers: RFC 9110 and RFC 9112 section by section. */
describe('HTTP', () => {
  const stack = withStack();
  const sockets: TLSSocket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  async function open(caller: 'OPERATOR' | 'NOROLE' = 'OPERATOR'): Promise<TLSSocket> {
    const { cert, key } = stack().identities.callers[caller];
    const socket = connect({
      host: '127.0.0.1',
      port: Number(new URL(String(stack().kernels[0]?.apiUrl)).port),
      ca: readFileSync(stack().identities.caCert),
      servername: 'localhost',
      cert: readFileSync(cert),
      key: readFileSync(key),
    });
    socket.on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'secureConnect');
    return socket;
  }

  /** One answer whose length is stated, from bytes that came and those that come. */
  async function read(socket: TLSSocket, isHead = false): Promise<Answer> {
    let bytes = Buffer.alloc(0);
    for (;;) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end >= 0) {
        const [line = '', ...fields] = bytes.subarray(0, end).toString('latin1').split('\r\n');
        const headers = Object.fromEntries(
          fields.map((field) => [field.split(':', 1)[0]?.toLowerCase(), field.replace(/^[^:]*:\s*/, '')]),
        ) as Record<string, string>;
        const status = Number(line.split(' ')[1]);
        const length =
          isHead || status < 200 || status === 304 || status === 204
            ? 0
            : Number(headers['content-length'] ?? 0);
        const body = bytes.subarray(end + 4);
        if (
          headers['transfer-encoding'] === 'chunked' ? body.includes('\r\n0\r\n\r\n') : body.length >= length
        ) {
          const left = body.subarray(length);
          if (left.length > 0 && headers['transfer-encoding'] === undefined) socket.unshift(left);
          return { status, headers, body: body.subarray(0, length || undefined).toString() };
        }
      }
      const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
      bytes = Buffer.concat([bytes, chunk]);
    }
  }

  async function ask(text: string, caller?: 'OPERATOR' | 'NOROLE'): Promise<Answer> {
    const socket = await open(caller);
    socket.write(text);
    return read(socket, text.startsWith('HEAD '));
  }

  async function expectProblem(answer: Answer, status: number, error: string): Promise<void> {
    expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([
      status,
      'application/problem+json',
      expect.any(String),
    ]);
    const problem = JSON.parse(answer.body) as { error_id?: string };
    expect(problem).toMatchObject({ status, error, type: expect.stringContaining(error) });
    if (status >= 500) {
      expect(problem.error_id).toMatch(/^[0-9a-f-]{36}$/);
      await until('the log explains it', async () =>
        (await stack().log('kernel')).includes(String(problem.error_id)),
      );
    }
  }

  describe('the target (RFC 9112 section 3.2)', () => {
    it.each([
      ['origin-form', `${STATUS}`],
      ['absolute-form', `https://kernel.example:8443${STATUS}`],
      ['absolute-form with an upper-case scheme', `HTTPS://kernel.example${STATUS}`],
      ['absolute-form with an IPv6 address', `https://[::1]:8443${STATUS}`],
    ])('%s is answered', async (_form, target) => {
      expect((await ask(`GET ${target} HTTP/1.1\r\nHost: other\r\n\r\n`)).status).toBe(200);
    });

    it('absolute-form has parameters, and is the same request for an idempotency key', async () => {
      const key = 'Idempotency-Key: absolute-1\r\n';
      const length = `Content-Length: ${JSON_EVENT.length}\r\n\r\n${JSON_EVENT}`;
      const first = await ask(`${POST}${key}${length}`);
      const again = await ask(`${POST.replace('/kernel', 'https://kernel/kernel')}${key}${length}`);
      expect([first.status, again.status]).toEqual([201, 201]);
      expect(again.body).toBe(first.body);
      const refused = await ask('GET https://kernel/kernel/audit?limit=0 HTTP/1.1\r\nHost: kernel\r\n\r\n');
      await expectProblem(refused, 400, 'invalid_request');
    });

    it.each([
      ['another scheme', `http://kernel${STATUS}`, 421, 'misdirected_request'],
      ['a URL without a host', 'https:///kernel', 400, 'invalid_request'],
      ['a URL with a user', 'https://me@kernel/', 400, 'invalid_request'],
      ['a URL with nothing behind its host', 'https://kernel', 404, 'not_found'],
      ['an asterisk', '*', 400, 'invalid_request'],
      ['8,193 bytes', `${STATUS}?${'x'.repeat(8_193)}`, 414, 'uri_too_long'],
      ['a line end', '/kernel\u0001', 400, 'invalid_request'],
    ])('%s is refused', async (_what, target, status, error) => {
      await expectProblem(await ask(`GET ${target} HTTP/1.1\r\nHost: kernel\r\n\r\n`), status, error);
    });
  });

  it('a target that is longer than a head may be is refused as one or the other', async () => {
    const answer = await ask(`GET ${STATUS}?${'x'.repeat(40_000)} HTTP/1.1\r\nHost: kernel\r\n\r\n`);
    expect([414, 431]).toContain(answer.status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });

  describe('Host (RFC 9112 section 3.2)', () => {
    it.each([
      ['none', ''],
      ['two', 'Host: kernel\r\nHost: kernel\r\n'],
      ['two in other cases', 'host: kernel\r\nHOST: other\r\n'],
      ['an empty one', 'Host:\r\n'],
      ['two in one', 'Host: a, b\r\n'],
      ['a path in it', 'Host: kernel/x\r\n'],
      ['a user in it', 'Host: me@kernel\r\n'],
      ['a port that is none', 'Host: kernel:x\r\n'],
    ])('%s is refused, and the connection ends', async (_what, host) => {
      const answer = await ask(`GET ${STATUS} HTTP/1.1\r\n${host}\r\n`);
      await expectProblem(answer, 400, 'invalid_request');
      expect(answer.headers['connection']).toBe('close');
      expect(JSON.parse(answer.body)).toMatchObject({ parameter: 'host' });
    });

    it.each(['kernel', 'kernel:8443', 'kernel:', '127.0.0.1:1', '[::1]:8443', 'k%C3%A4rnel'])(
      '%s is taken',
      async (host) => {
        expect((await ask(`GET ${STATUS} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status).toBe(200);
      },
    );

    it('may be left out in HTTP/1.0', async () => {
      expect((await ask(`GET ${STATUS} HTTP/1.0\r\n\r\n`)).status).toBe(200);
      await expectProblem(
        await ask(`GET ${STATUS} HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n`),
        400,
        'invalid_request',
      );
    });
  });

  describe('Expect (RFC 9110 section 10.1.1)', () => {
    const withBody = `Expect: 100-continue\r\nContent-Length: ${JSON_EVENT.length}\r\n\r\n`;

    it('100-continue is answered before the body, and the connection goes on', async () => {
      const socket = await open();
      for (let n = 0; n < 2; n++) {
        socket.write(`${POST}${withBody}`);
        expect((await read(socket)).status).toBe(100);
        socket.write(JSON_EVENT);
        const answer = await read(socket);
        expect([answer.status, answer.headers['connection']]).not.toContain('close');
        expect(answer.status).toBe(201);
      }
    });

    it.each([
      ['a caller who may not', POST, 'NOROLE', 403, 'forbidden'],
      [
        'a path that is not there',
        POST.replace('/kernel/audit', '/kernel/none'),
        'OPERATOR',
        404,
        'not_found',
      ],
      ['a method that is not there', POST.replace('POST', 'PUT'), 'OPERATOR', 405, 'method_not_allowed'],
      ['another type', POST.replace('/json', '/xml'), 'OPERATOR', 415, 'unsupported_media_type'],
    ] as const)('%s gets the answer without sending the body', async (_what, head, caller, status, error) => {
      const answer = await ask(`${head}${withBody}`, caller);
      await expectProblem(answer, status, error);
      expect(answer.headers['connection']).toBe('close');
    });

    it('a body that is too large is refused unsent', async () => {
      const answer = await ask(`${POST}Expect: 100-continue\r\nContent-Length: 20000000\r\n\r\n`);
      await expectProblem(answer, 413, 'payload_too_large');
    });

    it('in other letters is the same, in HTTP/1.0 nothing, and anything else is refused', async () => {
      expect((await ask(`${POST}${withBody.replace('100-continue', '100-Continue')}`)).status).toBe(100);
      const old = POST.replace('HTTP/1.1', 'HTTP/1.0');
      expect((await ask(`${old}${withBody}${JSON_EVENT}`)).status).toBe(201);
      for (const expectation of ['200-ok', '100-continue, other', '']) {
        const answer = await ask(`${POST}${withBody.replace('100-continue', expectation)}${JSON_EVENT}`);
        await expectProblem(answer, 417, 'expectation_failed');
      }
    });
  });

  describe('methods (RFC 9110 section 9)', () => {
    it.each([
      ['TRACE', STATUS, 405, 'method_not_allowed'],
      ['TRACE', '/kernel/none', 404, 'not_found'],
      ['OPTIONS', STATUS, 405, 'method_not_allowed'],
      ['OPTIONS', '*', 405, 'method_not_allowed'],
      ['PATCH', '/kernel/audit', 405, 'method_not_allowed'],
      ['CONNECT', 'kernel:443', 501, 'not_implemented'],
      ['BREW', STATUS, 501, 'not_implemented'],
      ['get', STATUS, 501, 'not_implemented'],
    ])('%s %s', async (method, target, status, error) => {
      const answer = await ask(`${method} ${target} HTTP/1.1\r\nHost: kernel\r\n\r\n`);
      await expectProblem(answer, status, error);
      if (status === 405) expect(answer.headers['allow']).toMatch(/GET, HEAD/);
      if (status === 501) expect(answer.headers['connection']).toBe('close');
    });

    it.each(
      kernelContract()
        // An answer that does not end cannot be waited for.
        .operations.filter(({ method, id }) => method === 'GET' && id !== 'streamEvents')
        .map(({ id }) => id),
    )('HEAD is GET without content: %s', async (id) => {
      const about = { division: 'none', event: '0190b6a0-0000-7000-8000-000000000000', agent: 'none' };
      const { path } = sampleRequest(id, about);
      const client = stack().client('SUPERADMIN');
      const [get, head] = [await client.get(path), await client.request('HEAD', path)];
      expect([head.status, head.text]).toEqual([get.status, '']);
      const fixed = ({ headers }: typeof get) =>
        ['content-type', 'etag', 'cache-control', 'allow', 'kernel-mode'].map((name) => headers[name]);
      expect(fixed(head)).toEqual(fixed(get));
    });
  });

  describe('If-None-Match (RFC 9110 section 13.1.2)', () => {
    it.each(['/kernel/keys/signers.json', '/kernel/keys/jwks.json'])('%s', async (path) => {
      const client = new ContractClient(stack().client('OPERATOR'));
      const { headers } = await client.get(path);
      const etag = String(headers['etag']);
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        for (const method of ['GET', 'HEAD']) {
          const answer = await ask(
            `${method} ${path} HTTP/1.1\r\nHost: kernel\r\nIf-None-Match: ${known}\r\n\r\n`,
          );
          expect([answer.status, answer.body, answer.headers['etag']]).toEqual([304, '', etag]);
          expect(answer.headers['cache-control']).toBe(headers['cache-control']);
          expect(answer.headers['content-length'] ?? 'none').not.toBe('0');
        }
      }
      for (const other of ['"other"', 'W/"other"', etag.slice(1, -1)]) {
        const answer = await client.get(path, { headers: { 'if-none-match': other } });
        expect(answer.status).toBe(200);
      }
    });
  });

  describe('framing (RFC 9112 sections 6 and 7)', () => {
    it.each([
      [
        'a chunk size that is none',
        'Transfer-Encoding: chunked\r\n\r\nXY\r\n{}\r\n0\r\n\r\n',
        400,
        'invalid_request',
      ],
      [
        'a chunk longer than its size',
        'Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n',
        400,
        'invalid_request',
      ],
      [
        'a chunk size beyond all numbers',
        `Transfer-Encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\n`,
        400,
        'invalid_request',
      ],
      [
        'a length beside chunks',
        'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        400,
        'invalid_request',
      ],
      ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x', 400, 'invalid_request'],
      ['a negative length', 'Content-Length: -1\r\n\r\n', 400, 'invalid_request'],
      [
        'a coding that is not known',
        'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
        501,
        'not_implemented',
      ],
      ['a folded header', 'X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n', 400, 'invalid_request'],
      ['a space before the colon', 'X-A : b\r\n\r\n', 400, 'invalid_request'],
      ['a lone CR in a header', 'X-A: b\rX-B: c\r\n\r\n', 400, 'invalid_request'],
      ['a head that is too large', `X-A: ${'x'.repeat(40_000)}\r\n\r\n`, 431, 'headers_too_large'],
    ])('%s is refused', async (_what, rest, status, error) => {
      const answer = await ask(`${POST}${rest}`);
      await expectProblem(answer, status, error);
      expect(answer.headers['connection']).toBe('close');
    });

    it('chunks are refused in HTTP/1.0, and other versions of HTTP altogether', async () => {
      const old = POST.replace('HTTP/1.1', 'HTTP/1.0');
      const chunked = await ask(`${old}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
      await expectProblem(chunked, 400, 'invalid_request');
      const next = await ask(`GET ${STATUS} HTTP/2.0\r\nHost: kernel\r\n\r\n`);
      await expectProblem(next, 505, 'http_version_not_supported');
      await expectProblem(await ask('HELLO\r\n\r\n'), 400, 'invalid_request');
    });

    it('chunks with extensions and trailers are taken, and the next request is the next', async () => {
      const socket = await open();
      const chunked = `${POST}Transfer-Encoding: Chunked\r\n\r\n${JSON_EVENT.length.toString(16)};a=b\r\n${JSON_EVENT}\r\n0\r\nX-T: 1\r\n\r\n`;
      socket.write(`${chunked}GET ${STATUS} HTTP/1.1\r\nHost: kernel\r\n\r\n`);
      expect((await read(socket)).status).toBe(201);
      expect((await read(socket)).status).toBe(200);
    });
  });
});
