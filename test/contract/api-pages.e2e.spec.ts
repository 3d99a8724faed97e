import { BrowserPage, describeWithChromium, withStack } from '#dev/testing';
import { request as httpsRequest } from 'node:https';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { kernelContract } from './contract.client';

describe('the pages about the API', () => {
  const stack = withStack();

  it('give the document as JSON, to callers without a role, too', async () => {
    for (const caller of ['OPERATOR', 'NOROLE'] as const) {
      const answer = await stack().client(caller).get('/openapi.json');
      expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
      const { openapi, servers, paths } = answer.json as {
        openapi: string;
        servers: object[];
        paths: Record<string, Record<string, { operationId: string }>>;
      };
      expect([openapi, servers]).toEqual(['3.1.0', [{ url: '/' }]]);
      const served = Object.values(paths).flatMap((methods) =>
        Object.values(methods).map((o) => o.operationId),
      );
      expect(served.sort()).toEqual(
        kernelContract()
          .operations.map(({ id }) => id)
          .sort(),
      );
    }
  });

  it('are revalidated by their tag, answer HEAD, and take no other method', async () => {
    const client = stack().client('OPERATOR');
    const first = await client.get('/docs/swagger-ui.css');
    const tag = String(first.headers['etag']);
    const again = await client.get('/docs/swagger-ui.css', { headers: { 'if-none-match': `"x", W/${tag}` } });
    expect([first.status, again.status, again.text]).toEqual([200, 304, '']);
    const head = await client.request('HEAD', '/docs/swagger-ui.css');
    expect([head.status, head.text, head.headers['content-length']]).toEqual([
      200,
      '',
      String(first.bytes.length),
    ]);
    const post = await client.post('/docs', {});
    expect([post.status, post.json.error, post.headers['allow']]).toEqual([
      405,
      'method_not_allowed',
      'GET, HEAD',
    ]);
    for (const path of ['/docs/nothing', '/docs/package.json']) {
      expect((await client.get(path)).status).toBe(404);
    }
  });

  describeWithChromium('in a browser', () => {
    let server: Server;
    /** The browser has no client certificate: this passes its requests on with one. */
    beforeAll(async () => {
      const { identities } = stack();
      const { cert, key } = identities.callers.AUDITOR;
      const tls = { ca: readFileSync(identities.caCert), cert: readFileSync(cert), key: readFileSync(key) };
      const to = new URL(stack().kernels[0]?.apiUrl ?? '');
      server = createServer((incoming, outgoing) => {
        httpsRequest(
          { ...tls, host: to.hostname, port: to.port, path: incoming.url, method: incoming.method },
          (answer) => {
            const { 'strict-transport-security': _, ...headers } = answer.headers;
            outgoing.writeHead(answer.statusCode ?? 0, headers);
            answer.pipe(outgoing);
          },
        ).end();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    afterAll(async () => {
      await new Promise((resolve) => server.close(resolve));
    });

    it('show every operation, under a policy that nothing breaks', async () => {
      const page = await BrowserPage.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/docs`);
      try {
        const operations = kernelContract().operations.length;
        const seen = await page.run<{ operations: number; violations: string[]; text: string }>(`
          new Promise((resolve) => {
            const violations = [];
            document.addEventListener('securitypolicyviolation', (event) =>
              violations.push(event.violatedDirective + ' ' + event.blockedURI));
            const look = () => {
              const operations = document.querySelectorAll('.opblock').length;
              if (operations < ${operations}) return setTimeout(look, 50);
              document.querySelector('#operations-audit-appendEvents button').click();
              setTimeout(() => resolve({
                operations, violations, text: document.querySelector('#operations-audit-appendEvents').textContent,
              }), 500);
            };
            look();
          })`);
        expect(seen).toEqual({
          operations,
          violations: [],
          text: expect.stringContaining('Record one event, or up to 1,000 together'),
        });
        expect(seen.text).toContain('invoice.paid');
      } finally {
        await page.close();
      }
    });
  });
});
