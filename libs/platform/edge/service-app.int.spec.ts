import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Module,
  type OnApplicationShutdown,
  Param,
  Post,
  Query,
  Req,
  type Type,
} from '@nestjs/common';
import { Agent, request, type Dispatcher } from 'undici';
import { Caller, Scope } from './access/request-access';
import { Policy, PublicRoute } from './access/policy.decorator';
import { type Principal } from './access/principal';
import { RoleAccess } from './access/role-access';
import { RoleBindings } from './access/role-bindings';
import { CodedError } from '#evidence';
import { createLogger, Registry } from '#platform/process';
import { TestCa, type TestCertificate } from '#dev/testing';
import { type BytesAnswer, NdjsonAnswer } from './answers';
import { answered } from './asking';
import { type HttpEdgeError } from './http-edge.error';
import { problemsOf } from './problems/problem-map';
import { contextOf, type RequestContext } from './request-context';
import { createServiceApp, type ServiceApp, type ServiceAppOptions } from './service-app';

const DOCUMENT = `
openapi: 3.1.0
info: { title: test, version: '1' }
paths:
  /things:
    post:
      operationId: createThing
      x-policy: audit.append
      parameters:
        - name: Idempotency-Key
          in: header
          schema: { type: string, maxLength: 255, pattern: '^[!-~]+$' }
      requestBody:
        required: true
        x-max-depth: 65
        content:
          application/json:
            schema:
              type: object
              required: [thing]
              additionalProperties: false
              properties:
                thing: { type: object }
                size: { type: integer, minimum: 1, maximum: 1000 }
      responses:
        '201':
          description: made
          headers: { X-Request-Id: { required: true, schema: { type: string } } }
          content: { application/json: { schema: { type: object, required: [hash], properties: { hash: { type: string } } } } }
        default: { description: problem, content: { application/problem+json: {} } }
    get:
      operationId: listThings
      x-policy: audit.read
      parameters:
        - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 1000, default: 100 } }
        - { name: all, in: query, schema: { type: boolean } }
        - { name: name, in: query, schema: { type: string, minLength: 1, maxLength: 64, pattern: '^[^\\x00]*$' } }
      responses: { '200': { description: list } }
  /things/head:
    get: { operationId: head, x-policy: public, responses: { '200': { description: head } } }
  /things/export:
    get: { operationId: export, x-policy: audit.export, responses: { '200': { description: lines, content: { application/x-ndjson: {} } } } }
  /things/{id}:
    get:
      operationId: getThing
      x-policy: audit.read
      parameters: [{ name: id, in: path, required: true, schema: { type: string, maxLength: 64, pattern: '^[a-z%/ ]+$' } }]
      responses: { '200': { description: thing } }
  /fail/{how}:
    post:
      operationId: fail
      x-policy: audit.read
      parameters: [{ name: how, in: path, required: true, schema: { type: string, maxLength: 64, pattern: '^[a-z-]+$' } }]
      responses: { '200': { description: never } }
`;

class ThingError extends CodedError<'thing_missing' | 'thing_store_away'> {
  override readonly details = { have: 1, need: 3, inside: 'hidden' };
}
const thingProblems = problemsOf(ThingError, {
  thing_missing: { status: 409, members: ['have', 'need'] },
  thing_store_away: { status: 503, retryAfter: 7 },
});

/** State that handlers wait for and report, for tests that need to see inside. */
const inside = {
  release: undefined as Promise<void> | undefined,
  pagesRead: 0,
  exportFails: false,
  handled: 0,
};

@Controller('things')
class ThingController {
  @Post()
  @Policy('audit.append')
  create(@Body() body: object, @Caller() caller: Principal, @Req() incoming: IncomingMessage): object {
    inside.handled++;
    const context = contextOf(incoming) as RequestContext;
    return { hash: context.requestHash, key: context.idempotencyKey, caller: caller.id, body };
  }

  @Get()
  @Policy('audit.read')
  async list(@Query() query: object, @Scope() scope: Scope): Promise<object> {
    await inside.release;
    return { query, scope };
  }

  @Get('head')
  @PublicRoute()
  @Header('Cache-Control', 'max-age=60')
  head(): BytesAnswer {
    const body = Buffer.from('{ "verbatim" : 1 }');
    return answered({ status: 200, body, eventIds: ['e-1', 'e-2'] });
  }

  @Get('export')
  @Policy('audit.export')
  export(): NdjsonAnswer {
    const pages = async function* (): AsyncGenerator<Buffer[]> {
      for (inside.pagesRead = 0; inside.pagesRead < 2000; inside.pagesRead++) {
        if (inside.exportFails && inside.pagesRead === 2) throw new Error('the store went away');
        yield [Buffer.from(JSON.stringify({ page: inside.pagesRead, filler: 'x'.repeat(20_000) }))];
        if (!inside.exportFails && inside.pagesRead === 2 && inside.release === undefined) return;
      }
    };
    return new NdjsonAnswer(pages());
  }

  @Get(':id')
  @Policy('audit.read')
  get(@Param('id') id: string): object {
    return { id };
  }
}

@Controller('fail')
class FailController {
  @Post(':how')
  @Policy('audit.read')
  @HttpCode(200)
  fail(@Param('how') how: string): never {
    if (how === 'missing') throw new ThingError('thing_missing', 'One of three is there; bring two more.');
    if (how === 'away') throw new ThingError('thing_store_away', 'connect ECONNREFUSED 10.0.0.7:5432');
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- the edge has to bear with this as well
    if (how === 'string') throw 'secret text';
    throw Object.assign(new Error('secret text'), { code: 'thing_missing' });
  }
}

@Module({ controllers: [ThingController, FailController] })
class TestModule {}

const bindings = new RoleBindings([
  { cn: 'operator', role: 'Operator' },
  { cn: 'auditor', role: 'Auditor' },
  { cn: 'lead', role: 'DivisionLead', division: 'product' },
  { cn: 'admin', role: 'SuperAdmin' },
]);

interface Answer {
  status: number;
  headers: Dispatcher.ResponseData['headers'];
  text: string;
  body: Record<string, unknown>;
}

describe('createServiceApp', () => {
  let dir: string;
  let ca: TestCa;
  let serverCertificate: TestCertificate;
  let operator: Agent;
  let service: ServiceApp | undefined;
  let port: number;
  let registry: Registry;
  const agents: Agent[] = [];
  let log: Record<string, unknown>[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'http-edge-'));
    ca = await TestCa.create();
    serverCertificate = await ca.issueServer();
    writeFileSync(join(dir, 'openapi.yaml'), DOCUMENT);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  function agentWith(client: { cert: string; key: string } | undefined): Agent {
    const agent = new Agent({ connect: { ca: ca.cert, ...client }, allowH2: false });
    agents.push(agent);
    return agent;
  }

  async function start(options: Partial<ServiceAppOptions> & { module?: Type } = {}): Promise<ServiceApp> {
    log = [];
    inside.release = undefined;
    inside.exportFails = false;
    registry = new Registry();
    service = await createServiceApp(options.module ?? TestModule, {
      tls: { cert: serverCertificate.cert, key: serverCertificate.key, ca: ca.cert },
      access: new RoleAccess(bindings),
      openapiPath: join(dir, 'openapi.yaml'),
      problems: [thingProblems],
      registry,
      logger: createLogger({
        app: 'test',
        level: 'debug',
        destination: { write: (line) => void log.push(JSON.parse(line) as Record<string, unknown>) },
      }),
      ...options,
    });
    port = await service.listen(0, '127.0.0.1');
    return service;
  }

  beforeEach(async () => {
    operator = agentWith(await ca.issueClient('operator'));
  });
  afterEach(async () => {
    inside.release = undefined;
    await Promise.all(agents.splice(0).map((agent) => agent.destroy()));
    await service?.close(0);
    service = undefined;
  });

  type Options = {
    method?: string;
    headers?: Record<string, string>;
    body?: string | Uint8Array;
    agent?: Agent;
  };
  async function call(path: string, options: Options = {}): Promise<Answer> {
    const { statusCode, headers, body } = await request(`https://127.0.0.1:${port}${path}`, {
      dispatcher: options.agent ?? operator,
      method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(options.body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: options.body ?? null,
    });
    const text = await body.text();
    const json =
      String(headers['content-type']).includes('json') && !String(headers['content-type']).includes('ndjson');
    return {
      status: statusCode,
      headers,
      text,
      body: json && text !== '' ? (JSON.parse(text) as Answer['body']) : {},
    };
  }

  async function rawSocket(): Promise<TLSSocket> {
    const client = await ca.issueClient('operator');
    const socket = connectTls({ host: '127.0.0.1', port, ca: ca.cert, cert: client.cert, key: client.key });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    return socket;
  }
  async function everything(socket: TLSSocket): Promise<string> {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'close');
    return Buffer.concat(chunks).toString('latin1');
  }

  describe('who gets in', () => {
    it('refuses in the handshake whoever has no certificate, a foreign one, an expired or a server’s one', async () => {
      await start();
      const foreign = await TestCa.create();
      const refused = [
        undefined,
        await foreign.issueClient('operator'),
        await ca.issue({ subject: [{ CN: ['operator'] }], notAfter: new Date(Date.now() - 1000) }),
        await ca.issue({ subject: [{ CN: ['operator'] }], usage: 'server' }),
      ];
      for (const client of refused) {
        await expect(call('/things/head', { agent: agentWith(client) })).rejects.toThrow();
      }
      expect((await call('/things/head')).status).toBe(200);
      expect(await registry.metrics()).toContain('tls_handshake_failures_total 4');
    });

    it('speaks TLS 1.3 only', async () => {
      await start();
      const client = await ca.issueClient('operator');
      const socket = connectTls({
        port,
        ca: ca.cert,
        cert: client.cert,
        key: client.key,
        maxVersion: 'TLSv1.2',
      });
      await expect(once(socket, 'secureConnect')).rejects.toThrow(/protocol version/i);
    });

    it('tells the caller by the certificate and passes their scope to the handler', async () => {
      await start();
      const lead = agentWith(await ca.issueClient('lead'));
      expect((await call('/things', { agent: lead })).body['scope']).toEqual({ division: 'product' });
      expect((await call('/things')).body['scope']).toBe('all');
      const { status, body } = await call('/things', { agent: lead, body: '{"thing":{}}' });
      expect([status, body['error']]).toEqual([403, 'forbidden']);
      expect(body['detail']).toBe(
        'Not permitted: "lead" has the role DivisionLead, which does not permit audit.append.',
      );
    });

    it('knows the caller also on a resumed TLS session', async () => {
      await start();
      const client = await ca.issueClient('lead');
      const options = { port, host: '127.0.0.1', ca: ca.cert, cert: client.cert, key: client.key };
      const first = connectTls(options);
      const [session] = (await once(first, 'session')) as [Buffer];
      first.destroy();
      const second = connectTls({ ...options, session });
      await once(second, 'secureConnect');
      expect(second.isSessionReused()).toBe(true);
      second.write('GET /things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      expect(await everything(second)).toContain('"scope":{"division":"product"}');
    });

    it('ignores identity and role headers', async () => {
      await start();
      const forged = {
        'x-role': 'SuperAdmin',
        'x-roles': 'SuperAdmin',
        'x-user': 'admin',
        'x-ssl-client-cn': 'admin',
        'x-forwarded-client-cert': 'Subject="CN=admin"',
        'x-spiffe-id': 'spiffe://x/admin',
        authorization: 'Bearer admin',
      };
      const nobody = agentWith(await ca.issueClient('nobody'));
      expect((await call('/things', { agent: nobody, headers: forged })).status).toBe(403);
      const auditor = agentWith(await ca.issueClient('auditor'));
      const { status } = await call('/things', { agent: auditor, headers: forged, body: '{"thing":{}}' });
      expect(status).toBe(403);
      const { body } = await call('/things', { headers: forged, body: '{"thing":{}}' });
      expect(body['caller']).toBe('operator');
    });

    it('lets every certificate use a public route, also one that names nobody', async () => {
      await start();
      const nameless = agentWith(await ca.issue({ subject: [{ CN: ['operator'] }, { CN: ['admin'] }] }));
      expect((await call('/things/head', { agent: nameless })).status).toBe(200);
      const { status, body } = await call('/things', { agent: nameless });
      expect([status, body['error']]).toEqual([403, 'ambiguous_certificate']);
    });

    it('does not read the body of somebody who may not send it', async () => {
      await start();
      const nobody = agentWith(await ca.issueClient('nobody'));
      const { status } = await call('/things', { agent: nobody, body: '{"not json' });
      expect(status).toBe(403);
    });
  });

  describe('JSON bodies', () => {
    const nested = (levels: number): string => '{"a":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1);
    const bytes = (...parts: (string | number[])[]): Buffer =>
      Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

    it.each<[string, string | Buffer, string]>([
      ['half a document', '{"thing":', '/thing'],
      ['a comment', '{"thing":{} /* x */}', ''],
      ['a trailing comma', '{"thing":{"a":1,}}', '/thing'],
      ['a duplicate member', '{"thing":{"a":1,"a":1}}', '/thing/a'],
      ['a duplicate member in disguise', '{"thing":{"a":1,"\\u0061":1}}', '/thing/a'],
      ['a lone surrogate in a value', '{"thing":{"a":"\\ud800"}}', '/thing/a'],
      ['a lone surrogate in a name', '{"thing":{"\\udc00":1}}', '/thing/\ufffd'],
      ['2^53 + 1', '{"thing":{"a":[0,9007199254740993]}}', '/thing/a/1'],
      ['1e400', '{"thing":{"a":1e400}}', '/thing/a'],
      ['toJSON', '{"thing":{"toJSON":1}}', '/thing/toJSON'],
      ['__proto__', '{"thing":{"__proto__":{}}}', '/thing/__proto__'],
      ['65 levels within', `{"thing":${nested(65)}}`, `/thing${'/a'.repeat(64)}`],
      ['invalid UTF-8', bytes('{"thing":{"a":"', [0xc3, 0x28], '"}}'), '/thing/a'],
      ['a byte order mark', bytes([0xef, 0xbb, 0xbf], '{"thing":{}}'), ''],
      ['UTF-16', Buffer.from('{"thing":{}}', 'utf16le'), ''],
    ])('refuses %s with 400 and the pointer', async (_, body, pointer) => {
      await start();
      const before = inside.handled;
      const answer = await call('/things', { body });
      expect(answer.body).toMatchObject({ status: 400, error: 'invalid_json' });
      expect(String(answer.body['pointer'])).toBe(pointer);
      expect(inside.handled).toBe(before);
    });

    it.each<[string, string, string, string]>([
      ['a missing member', '{}', '/thing', 'The member "thing" is missing; add it.'],
      [
        'an unknown member',
        '{"thing":{},"role":1}',
        '/role',
        'The member "role" is not known here; remove it.',
      ],
      ['a wrong type', '{"thing":[]}', '/thing', 'Must be of type object.'],
      ['no object', '[1]', '', 'Must be of type object.'],
      ['an out of range number', '{"thing":{},"size":0}', '/size', 'Must be >= 1.'],
      ['a coercible string', '{"thing":{},"size":"5"}', '/size', 'Must be of type integer.'],
    ])('refuses %s with the pointer and what to do', async (_, body, pointer, detail) => {
      await start();
      const answer = await call('/things', { body });
      expect(answer.body).toMatchObject({ status: 400, error: 'invalid_request', pointer, detail });
    });

    it('takes 64 levels, member names of Object.prototype, and any content type that says JSON in UTF-8', async () => {
      await start();
      const body = `{"thing":${nested(64)}}`;
      for (const type of [
        'application/json',
        'Application/JSON; charset=UTF-8',
        'application/json;charset="utf-8"',
      ]) {
        expect((await call('/things', { body, headers: { 'content-type': type } })).status).toBe(201);
      }
      const odd = await call('/things', { body: '{"thing":{"constructor":1,"hasOwnProperty":2}}' });
      expect(odd.body['body']).toEqual({ thing: { constructor: 1, hasOwnProperty: 2 } });
    });

    it.each([
      ['text/plain', undefined],
      ['application/json; charset=latin1', undefined],
      ['application/jsonp', undefined],
      ['application/x-www-form-urlencoded', undefined],
      ['application/json', 'gzip'],
    ])('refuses content type %s with encoding %s by 415', async (type, encoding) => {
      await start();
      const headers = {
        'content-type': type,
        ...(encoding !== undefined && { 'content-encoding': encoding }),
      };
      const { status, body } = await call('/things', { headers, body: '{"thing":{}}' });
      expect([status, body['error']]).toEqual([415, 'unsupported_media_type']);
    });

    it('asks for a body where there must be one, and for none where there must not', async () => {
      await start();
      expect((await call('/things', { method: 'POST' })).body).toMatchObject({ status: 400, pointer: '' });
      const { body } = await call('/fail/missing', { body: '{}' });
      expect(body).toMatchObject({ status: 400, error: 'invalid_request' });
    });
  });

  describe('sizes', () => {
    const filler = (length: number): string => JSON.stringify({ thing: { a: 'x'.repeat(length - 20) } });

    it('takes a body up to the limit, and refuses a larger one by 413 with a connection that goes on', async () => {
      await start({ limits: { bodyBytes: 1_000 } });
      expect((await call('/things', { body: '{"thing":{"a":"' + 'x'.repeat(982) + '"}}' })).status).toBe(
        400 - 199,
      );
      const { status, body, headers } = await call('/things', { body: filler(200_000) });
      expect([status, body['error'], body['limit']]).toEqual([413, 'payload_too_large', 1000]);
      expect(headers['connection']).not.toBe('close');
      expect((await call('/things/head')).status).toBe(200);
    });

    it('counts the bytes of a chunked body', async () => {
      await start({ limits: { bodyBytes: 1_000 } });
      const socket = await rawSocket();
      const chunk = 'x'.repeat(600);
      socket.write(
        'POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
          `258\r\n${chunk}\r\n258\r\n${chunk}\r\n0\r\n\r\n`,
      );
      expect(await everything(socket)).toMatch(/^HTTP\/1.1 413 /);
    });

    it('refuses more bodies at a time than the memory set aside for them, and frees what is done', async () => {
      await start({ limits: { heldBodyBytes: 1_500 } });
      const body = filler(1_000);
      expect((await call('/things', { body })).status).toBe(201);
      expect((await call('/things', { body })).status).toBe(201);
      const { status, headers, body: problem } = await call('/things', { body: filler(3_000) });
      expect([status, problem['error'], headers['retry-after']]).toEqual([503, 'overloaded', '1']);
      expect((await call('/things', { body })).status).toBe(201);
    });

    it('refuses large heads by 431 and what is no HTTP by 400, as problems', async () => {
      await start({ limits: { headerBytes: 2_000 } });
      const large = await rawSocket();
      large.write(`GET /things HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(3_000)}\r\n\r\n`);
      expect(await everything(large)).toMatch(
        /^HTTP\/1.1 431 [^]*application\/problem\+json[^]*headers_too_large/,
      );
      const garbage = await rawSocket();
      garbage.write('HELLO\r\n\r\n');
      expect(await everything(garbage)).toMatch(/^HTTP\/1.1 400 [^]*application\/problem\+json/);
    });

    it('refuses two lengths, and a length next to chunks (request smuggling)', async () => {
      await start();
      for (const framing of [
        'Content-Length: 12\r\nContent-Length: 13',
        'Content-Length: 12\r\nTransfer-Encoding: chunked',
        'Transfer-Encoding: chunked, identity',
      ]) {
        const socket = await rawSocket();
        socket.write(
          `POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${framing}\r\n\r\n{"thing":{}}`,
        );
        expect(await everything(socket)).toMatch(/^HTTP\/1.1 400 /);
      }
    });

    it('gives up on a client that sends its head or its body too slowly', async () => {
      await start({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 300 } });
      const head = await rawSocket();
      head.write('GET /things HTTP/1.1\r\nHost: x\r\nX-Slow');
      const body = await rawSocket();
      body.write(
        'POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
      );
      const answers = await Promise.all([everything(head), everything(body)]);
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 408 [^]*request_timeout/);
    });
  });

  describe('routes and parameters', () => {
    it.each([
      ['/nothing', 404],
      ['/things/', 404],
      ['//things', 404],
      ['/Things', 404],
      ['/things/head/', 404],
      ['/things/../things/head', 200],
      ['/things/./head', 200],
      ['/things/%2e%2e/head', 200],
    ])('takes %s to the letter', async (path, viaClient) => {
      await start();
      // A client may tidy a path before it sends it; on the wire only the exact path exists.
      const socket = await rawSocket();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      const answer = await everything(socket);
      expect(answer).toMatch(/^HTTP\/1.1 404 [^]*"error":"not_found"/);
      expect([200, 404]).toContain(viaClient);
    });

    it('answers another method by 405 and says which there are', async () => {
      await start();
      const { status, headers, body } = await call('/things', { method: 'DELETE' });
      expect([status, headers['allow'], body['error']]).toEqual([
        405,
        'POST, GET, HEAD',
        'method_not_allowed',
      ]);
      expect((await call('/things/abc', { method: 'OPTIONS' })).headers['allow']).toBe('GET, HEAD');
    });

    it('answers HEAD as GET without the body', async () => {
      await start();
      const { status, headers, text } = await call('/things/head', { method: 'HEAD' });
      expect([status, headers['content-length'], text]).toEqual([200, '18', '']);
    });

    it('types the query and fills in defaults', async () => {
      await start();
      expect((await call('/things?limit=5&all=true&name=a%20b+c')).body['query']).toEqual({
        limit: 5,
        all: true,
        name: 'a b c',
      });
      expect((await call('/things')).body['query']).toEqual({ limit: 100 });
    });

    it.each([
      ['limit=0', 'limit'],
      ['limit=1001', 'limit'],
      ['limit=1e2', 'limit'],
      ['limit=', 'limit'],
      ['limit=5&limit=6', 'limit'],
      ['limit[]=5', 'limit[]'],
      ['all=1', 'all'],
      ['name=%zz', 'name'],
      ['name=', 'name'],
      ['__proto__=1', '__proto__'],
      ['unknown=1', 'unknown'],
    ])('refuses the query %s and names the parameter', async (query, parameter) => {
      await start();
      expect((await call(`/things?${query}`)).body).toMatchObject({
        status: 400,
        error: 'invalid_request',
        parameter,
      });
    });

    it('decodes path parameters once, and refuses those that do not fit', async () => {
      await start();
      expect((await call('/things/a%20b')).body).toEqual({ id: 'a b' });
      expect((await call('/things/a%252fb')).status).toBe(400);
      expect((await call('/things/a%2fb')).body).toEqual({ id: 'a/b' });
      // Spelt so, it is the id of a thing and not the route next to it.
      expect((await call('/things/%68ead')).body).toEqual({ id: 'head' });
      expect((await call('/things/A')).body).toMatchObject({ status: 400, parameter: 'id' });
      expect((await call('/things/%ff')).body).toMatchObject({ status: 400, parameter: 'id' });
    });
  });

  describe('request ids and idempotency keys', () => {
    it('keeps a plain request id and replaces any other', async () => {
      await start();
      const idOf = async (sent?: string) => {
        const { headers } = await call(
          '/things/head',
          sent === undefined ? {} : { headers: { 'x-request-id': sent } },
        );
        return headers['x-request-id'];
      };
      expect(await idOf('build-17:a.b_c')).toBe('build-17:a.b_c');
      for (const bad of ['a b', 'a"b', '{}', 'x'.repeat(129), 'ä', '']) {
        expect(await idOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
      }
      expect(await idOf()).not.toBe(await idOf());
    });

    it.each(['"quoted"', 'a'.repeat(255), '!~'])('takes the key %s as it is', async (key) => {
      await start();
      const { body } = await call('/things', { body: '{"thing":{}}', headers: { 'idempotency-key': key } });
      expect(body['key']).toBe(key);
    });

    it.each(['a b', '', 'a'.repeat(256), '\u00e4'])('refuses the key "%s"', async (key) => {
      await start();
      const socket = await rawSocket();
      socket.write(
        `POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\nIdempotency-Key: ${key}\r\n\r\n{"thing":{}}`,
        'latin1',
      );
      expect(await everything(socket)).toMatch(/^HTTP\/1.1 400 [^]*"parameter":"idempotency-key"/);
    });

    it('refuses two keys', async () => {
      await start();
      const socket = await rawSocket();
      socket.write(
        'POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n{"thing":{}}',
      );
      expect(await everything(socket)).toMatch(/^HTTP\/1.1 400 /);
    });

    it('hashes what a request means, not how it is spelt', async () => {
      await start();
      const hashOf = async (body: string) => (await call('/things', { body })).body['hash'];
      const hash = await hashOf('{"thing":{"a":1,"b":"x"}}');
      expect(hash).toMatch(/^[0-9a-f]{64}$/);
      expect(await hashOf('{ "thing": { "b": "\\u0078", "a": 1.0 } }')).toBe(hash);
      expect(await hashOf('{"thing":{"a":1,"b":"y"}}')).not.toBe(hash);
    });
  });

  describe('answers', () => {
    it('sends bytes verbatim, and only the headers that an API needs', async () => {
      await start();
      const { text, headers } = await call('/things/head');
      expect(text).toBe('{ "verbatim" : 1 }');
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'content-length': '18',
        'cache-control': 'max-age=60',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      });
      expect((await call('/things')).headers['cache-control']).toBe('no-store');
      for (const name of ['x-powered-by', 'etag', 'server']) expect(headers).not.toHaveProperty(name);
    });

    it('streams lines', async () => {
      await start();
      const { text, headers } = await call('/things/export');
      expect(headers['content-type']).toBe('application/x-ndjson');
      expect(text.split('\n').map((line) => line.slice(0, 9))).toEqual([
        '{"page":0',
        '{"page":1',
        '{"page":2',
        '',
      ]);
    });

    /** Resolves with the log line of the first request that has ended. */
    async function firstRequestLine(): Promise<Record<string, unknown>> {
      for (;;) {
        const line = log.find((entry) => entry['msg'] === 'request');
        if (line !== undefined) return line;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    async function startReadingExport(): Promise<TLSSocket> {
      inside.release = Promise.resolve();
      inside.pagesRead = 0;
      const socket = await rawSocket();
      socket.pause();
      socket.write('GET /things/export HTTP/1.1\r\nHost: x\r\n\r\n');
      return socket;
    }

    it('names the events of an answer in the log line of its request', async () => {
      await start();
      await call('/things/head');
      expect(await firstRequestLine()).toMatchObject({ route: '/things/head', event_id: 'e-1', events: 2 });
    });

    it('stops reading its source when the reader is gone', async () => {
      await start();
      const socket = await startReadingExport();
      while (inside.pagesRead === 0) await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
      expect(await firstRequestLine()).toMatchObject({ route: '/things/export', aborted: true });
      expect(inside.pagesRead).toBeLessThan(2000);
    });

    it('does not read ahead of a slow reader, and gives up on one that has stopped', async () => {
      await start({ limits: { stalledReaderMs: 200 } });
      const socket = await startReadingExport();
      expect(await firstRequestLine()).toMatchObject({ route: '/things/export', aborted: true });
      expect(inside.pagesRead).toBeLessThan(2000);
      socket.destroy();
    });

    it('breaks the connection when a stream fails half way, and logs why', async () => {
      await start();
      inside.exportFails = true;
      await expect(call('/things/export')).rejects.toThrow();
      expect(log).toContainEqual(
        expect.objectContaining({ msg: 'request failed', error_id: expect.any(String) }),
      );
    });
  });

  describe('problems', () => {
    it('maps a module’s error to its problem, with the members that are meant for the caller', async () => {
      await start();
      const { status, headers, body } = await call('/fail/missing?', {
        method: 'POST',
        headers: { 'x-request-id': 'r1' },
      });
      expect(status).toBe(409);
      expect(headers['content-type']).toBe('application/problem+json');
      expect(body).toEqual({
        type: 'https://illuvrse.dev/kernel/problems/thing_missing',
        title: 'Conflict',
        status: 409,
        detail: 'One of three is there; bring two more.',
        instance: '/fail/missing',
        error: 'thing_missing',
        request_id: 'r1',
        have: 1,
        need: 3,
      });
    });

    it('tells of a 5xx no more than an id, which the log explains', async () => {
      await start();
      const { status, headers, body, text } = await call('/fail/away', { method: 'POST' });
      expect([status, headers['retry-after'], body['error']]).toEqual([503, '7', 'thing_store_away']);
      expect(text).not.toContain('10.0.0.7');
      const line = log.find((entry) => entry['error_id'] === body['error_id'] && entry['err'] !== undefined);
      expect(line).toMatchObject({ level: 'warn', err: { message: 'connect ECONNREFUSED 10.0.0.7:5432' } });
    });

    it.each(['string', 'unknown'])(
      'answers an unforeseen error (%s) by 500, without its text or stack',
      async (how) => {
        await start();
        const { status, text, body } = await call(`/fail/${how}`, { method: 'POST' });
        expect([status, body['error']]).toEqual([500, 'internal_error']);
        expect(text).not.toMatch(/secret|\.ts|at /);
        expect(JSON.stringify(log)).toContain('secret text');
      },
    );
  });

  describe('under load', () => {
    it('refuses what is too much at a time by 503, and recovers', async () => {
      await start({ limits: { concurrentRequests: 2 } });
      let release = (): void => undefined;
      inside.release = new Promise((resolve) => (release = resolve));
      const held = [call('/things'), call('/things')];
      const third = await (async () => {
        // The two must have been admitted first: until then the third is one of the two.
        for (;;) {
          const text = await registry.getSingleMetricAsString('http_requests_in_flight');
          if (text.includes('http_requests_in_flight 2')) return call('/things/head');
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      expect([third.status, third.body['error'], third.headers['retry-after']]).toEqual([
        503,
        'overloaded',
        '1',
      ]);
      release();
      for (const { status } of await Promise.all(held)) expect(status).toBe(200);
      expect((await call('/things/head')).status).toBe(200);
    });

    it('lets running requests finish when it closes, and takes no more', async () => {
      const { server } = await start();
      let release = (): void => undefined;
      inside.release = new Promise((resolve) => (release = resolve));
      const running = call('/things');
      await once(server, 'request');
      const closing = service?.close();
      await expect(rawSocket()).rejects.toThrow('ECONNREFUSED');
      release();
      expect((await running).status).toBe(200);
      await closing;
      service = undefined;
    });

    it('does not wait for ever', async () => {
      const { server } = await start();
      inside.release = new Promise(() => undefined);
      const running = call('/things');
      const failed = expect(running).rejects.toThrow();
      await once(server, 'request');
      await service?.close(50);
      await failed;
      service = undefined;
    });
  });

  it('logs and counts each request by its route, without payloads', async () => {
    await start();
    await call('/things', { body: '{"thing":{"a":"PAYLOAD"}}', headers: { 'x-request-id': 'r-7' } });
    await call('/things/abc');
    await call('/no/such/route');
    const requests = log.filter((line) => line['msg'] === 'request');
    expect(requests[0]).toMatchObject({
      request_id: 'r-7',
      principal_id: 'operator',
      method: 'POST',
      route: '/things',
      status: 201,
      ms: expect.any(Number),
    });
    expect(requests.map((line) => line['route'])).toEqual(['/things', '/things/{id}', 'unknown']);
    expect(JSON.stringify(log)).not.toContain('PAYLOAD');
    const metrics = await registry.metrics();
    expect(metrics).toContain('http_requests_total{method="GET",route="/things/{id}",status="200"} 1');
    expect(metrics).toContain('http_requests_total{method="GET",route="unknown",status="404"} 1');
    expect(metrics).not.toContain('no/such');
    expect(metrics).toContain('http_requests_in_flight 0');
  });

  describe('at the start', () => {
    const refusal = async (
      options: Partial<ServiceAppOptions> & { module?: Type },
    ): Promise<HttpEdgeError> => {
      try {
        await start(options);
      } catch (error) {
        return error as HttpEdgeError;
      }
      throw new Error('expected the start to be refused');
    };

    it('stops when the document is missing or invalid', async () => {
      const missing = await refusal({ openapiPath: join(dir, 'none.yaml') });
      expect([missing.code, missing.message]).toEqual([
        'invalid_contract',
        expect.stringContaining('ENOENT'),
      ]);
      const path = join(dir, 'broken.yaml');
      writeFileSync(path, DOCUMENT.replace('type: integer, minimum', 'type: intejer, minimum'));
      expect((await refusal({ openapiPath: path })).message).toContain('/paths/~1things');
    });

    it('stops when routes, policies and document differ, and names every difference', async () => {
      @Controller('things')
      class DriftedController {
        @Get(':id')
        @Policy('audit.export')
        get(): object {
          return {};
        }
        @Get('head')
        @PublicRoute()
        head(): object {
          return {};
        }
        @Post()
        create(): object {
          return {};
        }
        @Get('more/:id')
        @PublicRoute()
        more(): object {
          return {};
        }
      }
      let closed = false;
      @Module({ controllers: [DriftedController] })
      class DriftedModule implements OnApplicationShutdown {
        onApplicationShutdown(): void {
          closed = true;
        }
      }
      const error = await refusal({ module: DriftedModule });
      expect([error.code, closed]).toEqual(['routes_differ', true]);
      expect(error.details['differences']).toEqual([
        'GET /things/{id} (DriftedController.get) has the policy "audit.export", the document says "audit.read"',
        'POST /things (DriftedController.create) declares no policy',
        'GET /things/more/{id} (DriftedController.more) is not in the document',
        'GET /things (listThings) is in the document, and no controller serves it',
        'GET /things/export (export) is in the document, and no controller serves it',
        'POST /fail/{how} (fail) is in the document, and no controller serves it',
        'GET /things/head (DriftedController.head) is never reached: DriftedController.get comes first',
      ]);
    });
  });

  describe('assertAnswer', () => {
    it('accepts what the document promises, and says what differs', async () => {
      const { contract } = await start();
      const answer = await call('/things', { body: '{"thing":{}}' });
      const seen = { status: answer.status, headers: answer.headers, body: answer.text };
      expect(() => contract.assertAnswer('createThing', seen)).not.toThrow();
      const differing: [object, string][] = [
        [{ body: '{}' }, 'The member "hash" is missing'],
        [{ body: '{' }, 'is not JSON'],
        [{ headers: { 'content-type': 'application/json' } }, 'the header x-request-id is missing'],
        [{ headers: { ...answer.headers, 'content-type': 'text/html' } }, 'content type "text/html"'],
      ];
      for (const [change, words] of differing) {
        expect(() => contract.assertAnswer('createThing', { ...seen, ...change })).toThrow(words);
      }
      expect(() => contract.assertAnswer('listThings', { ...seen, status: 418 })).toThrow(
        'does not know this status',
      );
    });
  });
});
