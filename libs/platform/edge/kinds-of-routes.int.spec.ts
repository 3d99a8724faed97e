import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Controller,
  Get,
  Header,
  HttpCode,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Post,
  Req,
  type Type,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { agent } from 'supertest';
import { CodedError } from '#evidence';
import { TestCa } from '#dev/testing';
import { createLogger, Registry } from '#platform/process';
import { Policy, PublicRoute } from './access/policy.decorator';
import { RoleAccess } from './access/role-access';
import { RoleBindings } from './access/role-bindings';
import { Direct, type DirectCall } from './direct-route';
import { problemsOf } from './problems/problem-map';
import { createServiceApp, type ServiceApp, type ServiceAppOptions } from './service-app';

const BODY = `{ type: object, required: [n], additionalProperties: false, properties: { n: { type: integer, minimum: -1000, maximum: 1000 } } }`;
const operation = (id: string, policy: string, more = ''): string =>
  `{ operationId: ${id}, x-policy: ${policy}, ${more} responses: { '200': { description: ok } } }`;
const body = `requestBody: { required: true, x-max-bytes: 100, content: { application/json: { schema: ${BODY} } } },`;
const DOCUMENT = `
openapi: 3.1.0
info: { title: test, version: '1' }
paths:
  /checked: { post: ${operation('checked', 'audit.append', body)} }
  /read/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string, maxLength: 64, pattern: '^[ -~]+$' } }]
    post: ${operation('read', 'audit.append', body)}
`;

class NumberError extends CodedError<'no_number' | 'away'> {}
const problems = [
  problemsOf(NumberError, { no_number: { status: 422 }, away: { status: 503, explained: true } }),
];

function numberIn(bytes: Buffer): number {
  const number = Number(/\d+/.exec(bytes.toString())?.[0] ?? NaN);
  if (Number.isNaN(number)) throw new NumberError('no_number', 'There is no number.');
  return number;
}

@Controller()
class RoutesController {
  @Post('checked')
  @HttpCode(202)
  @Header('X-Kind', 'direct')
  @Policy('audit.append')
  @Direct()
  checked({ access, context, body: input }: DirectCall): object {
    return { caller: access?.principal.id, request: context.requestId, input };
  }

  @Post('read/:id')
  @Policy('audit.append')
  @Direct({ read: numberIn })
  async read({ params, body: input }: DirectCall): Promise<object> {
    if (input === 503) throw new NumberError('away', 'The numbers are away.');
    return { id: params['id'], input };
  }
}
@Module({ controllers: [RoutesController] })
class RoutesModule {}

describe('a service app', () => {
  const dir = mkdtempSync(join(tmpdir(), 'kinds-of-routes-'));
  const log: Record<string, unknown>[] = [];
  let ca: TestCa;
  let service: ServiceApp | undefined;
  let registry: Registry;
  beforeAll(async () => {
    ca = await TestCa.create();
    writeFileSync(join(dir, 'openapi.yaml'), DOCUMENT);
  });
  afterEach(async () => {
    await service?.close(0);
    service = undefined;
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const create = async (options: Partial<ServiceAppOptions> = {}, module: Type = RoutesModule) => {
    const { cert, key } = await ca.issueServer();
    registry = new Registry();
    log.length = 0;
    return createServiceApp(module, {
      tls: { cert, key, ca: ca.cert },
      access: new RoleAccess(new RoleBindings([{ cn: 'operator', role: 'Operator' }])),
      openapiPath: join(dir, 'openapi.yaml'),
      problems,
      registry,
      logger: createLogger({
        app: 'test',
        level: 'info',
        destination: { write: (line) => void log.push(JSON.parse(line) as Record<string, unknown>) },
      }),
      ...options,
    });
  };
  const start = async (options: Partial<ServiceAppOptions> = {}) => {
    service = await create(options);
    const port = await service.listen(0, '127.0.0.1');
    return async (name: string) => {
      const { cert, key } = await ca.issueClient(name);
      return agent(`https://localhost:${port}`, { ca: ca.cert, cert, key });
    };
  };

  describe('with direct routes', () => {
    it('hands over who calls and what was checked, and keeps the status and headers that are declared', async () => {
      const operator = await (await start())('operator');
      const answer = await operator.post('/checked').set('x-request-id', 'r-1').send({ n: 7 });
      expect([answer.status, answer.body]).toEqual([
        202,
        { caller: 'operator', request: 'r-1', input: { n: 7 } },
      ]);
      expect(answer.headers).toMatchObject({ 'x-kind': 'direct', 'x-request-id': 'r-1' });
      expect(log.find(({ msg }) => msg === 'request')).toMatchObject({
        route: '/checked',
        principal_id: 'operator',
      });
    });

    it.each([
      ['what the document does not describe', '{"n":"7"}', 400, 'invalid_request'],
      ['no strict JSON', '{"n":7,"n":8}', 400, 'invalid_json'],
      ['more bytes than the document says', `{"n":7${' '.repeat(100)}}`, 413, 'payload_too_large'],
    ])('refuses %s', async (_what, sent, status, error) => {
      const operator = await (await start())('operator');
      const answer = await operator.post('/checked').type('json').send(sent);
      expect(answer.body).toMatchObject({ status, error });
      expect(answer.headers['content-type']).toBe('application/problem+json');
    });

    it('asks for the policy before it reads anything, and for the mode', async () => {
      const as = await start({
        gate: () => ({
          mode: () => 'read-only',
          assertWritable: () => {
            throw new NumberError('away', 'Nothing is written now.');
          },
        }),
      });
      expect((await (await as('nobody')).post('/checked').type('json').send('{')).body).toMatchObject({
        error: 'forbidden',
      });
      expect((await (await as('operator')).post('/checked').type('json').send('{')).body).toMatchObject({
        status: 503,
        error: 'away',
        detail: 'Nothing is written now.',
      });
    });

    it('reads by a reader of its own, within the same limits', async () => {
      const operator = await (await start())('operator');
      const send = (path: string, sent: string) => operator.post(path).type('json').send(sent);
      expect((await send('/read/a%20b', 'n is 12')).body).toEqual({ id: 'a b', input: 12 });
      expect((await send('/read/x', 'none')).body).toMatchObject({ status: 422, error: 'no_number' });
      expect((await send('/read/x', '1'.repeat(101))).body).toMatchObject({ status: 413 });
    });

    it('tells an explained refusal to the caller, whatever its status, and looks for no fault', async () => {
      const seen: string[] = [];
      const operator = await (await start({ onProblem: (word) => void seen.push(word) }))('operator');
      const answer = await operator.post('/read/x').type('json').send('503');
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
      expect(answer.body).toMatchObject({ error: 'away', detail: 'The numbers are away.' });
      expect(answer.body).not.toHaveProperty('error_id');
      expect(seen).toEqual(['away']);
      expect(log.filter(({ msg }) => String(msg).startsWith('request '))).toEqual([]);
    });
  });

  describe('with a site beside the API', () => {
    let pages: INestApplication;
    /** Contents of a session, by a middleware of Express and one of Nest. */
    type SiteRequest = { ranFirst?: boolean; user?: string };

    @Controller()
    class SignInController {
      @Get('auth/callback')
      callback(@Req() request: SiteRequest): object {
        return { user: request.user, ranFirst: request.ranFirst };
      }
    }
    @Module({ controllers: [SignInController] })
    class PagesModule implements NestModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer
          .apply((request: SiteRequest, _: unknown, next: () => void) => {
            request.user = 'alice';
            next();
          })
          .forRoutes('auth/*path');
      }
    }

    beforeEach(async () => {
      const module = await Test.createTestingModule({ imports: [PagesModule] }).compile();
      pages = module.createNestApplication(new ExpressAdapter(), { logger: false });
      pages.use(
        (
          request: SiteRequest,
          response: { setHeader(name: string, value: string): void },
          next: () => void,
        ) => {
          request.ranFirst = true;
          response.setHeader('Content-Security-Policy', "default-src 'self'");
          next();
        },
      );
      await pages.init();
    });
    afterEach(() => pages.close());

    it('serves there what the document does not describe, with middleware of every kind', async () => {
      const site = pages.getHttpAdapter().getInstance() as RequestListener;
      const nobody = await (await start({ site }))('nobody');
      const answer = await nobody.get('/auth/callback?code=1');
      expect([answer.status, answer.body]).toEqual([200, { user: 'alice', ranFirst: true }]);
      expect(answer.headers).toMatchObject({
        'content-security-policy': "default-src 'self'",
        'x-request-id': expect.any(String),
      });
      expect((await nobody.get('/nothing')).body).toMatchObject({ statusCode: 404 });
      const metrics = await registry.metrics();
      expect(metrics).toContain('http_requests_total{method="GET",route="site",status="200"} 1');
    });

    it('leaves the API as it is', async () => {
      const site = pages.getHttpAdapter().getInstance() as RequestListener;
      const as = await start({ site });
      const nobody = await as('nobody');
      expect((await nobody.post('/checked').send({ n: 1 })).body).toMatchObject({ error: 'forbidden' });
      expect((await nobody.get('/checked')).body).toMatchObject({ error: 'method_not_allowed' });
      const answer = await (await as('operator')).post('/checked').send({ n: 1 });
      expect([answer.status, answer.headers['content-security-policy']]).toEqual([
        202,
        "default-src 'none'; frame-ancestors 'none'",
      ]);
    });
  });

  it('does not start with middleware that would never run', async () => {
    @Module({ controllers: [RoutesController] })
    class MiddlewareModule implements NestModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(() => undefined).forRoutes('*path');
      }
    }
    await expect(create({}, MiddlewareModule)).rejects.toThrow('The service API has no middleware');
    service = await create();
    expect(() => service?.app.use(() => undefined)).toThrow('The service API has no middleware');
    expect(() => service?.app.enableCors()).toThrow('no cross-origin requests');
  });

  it('has no route without a policy', async () => {
    @Controller()
    class OpenController {
      @Post('checked')
      @Direct()
      checked(): object {
        return {};
      }
      @Post('read/:id')
      @PublicRoute()
      read(): object {
        return {};
      }
    }
    @Module({ controllers: [OpenController] })
    class OpenModule {}
    await expect(create({}, OpenModule)).rejects.toMatchObject({
      code: 'routes_differ',
      details: {
        differences: [
          'POST /checked (OpenController.checked) declares no policy',
          'POST /read/{id} (OpenController.read) has the policy "public", the document says "audit.append"',
        ],
      },
    });
  });
});
