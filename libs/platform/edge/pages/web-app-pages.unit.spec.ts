import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { HttpEdgeError } from '../http-edge.error';
import { NONCE_MARK, WebAppPages } from './web-app-pages';
import { readWebBundle } from './web-bundle';

const HTML = `<!doctype html><meta property="csp-nonce" nonce="${NONCE_MARK}"><script type="module" src="/assets/a-1.js"></script>`;
const SCRIPT = 'export const a = 1;\n'.repeat(100);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a built web app', () => {
  let folder: string;
  let server: Server;
  let origin: string;

  const writeBundle = async (
    files: Record<string, string>,
    listed: object[] = Object.entries(files).map(([path, text]) => ({ path, sha256: sha256(text) })),
  ): Promise<void> => {
    for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
    await writeFile(join(folder, 'bundle.json'), JSON.stringify({ v: 1, files: listed }));
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-web-app-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  describe('is refused when', () => {
    const refusal = async (): Promise<unknown> => readWebBundle(folder).catch((error: unknown) => error);

    it.each([
      ['there is none', async () => undefined, 'bundle.json cannot be read'],
      ['its list is no JSON', () => writeFile(join(folder, 'bundle.json'), '{'), 'bundle.json is not JSON'],
      [
        'its list is of another kind',
        () => writeFile(join(folder, 'bundle.json'), '[]'),
        'is not a list of files',
      ],
      [
        'a file was changed',
        async () => {
          await writeBundle({ 'index.html': HTML });
          await writeFile(join(folder, 'index.html'), `${HTML} `);
        },
        'index.html is not the file that was built',
      ],
      [
        'a file is missing',
        () => writeBundle({ 'index.html': HTML }, [{ path: 'gone.js', sha256: '00' }]),
        'gone.js cannot be read',
      ],
      [
        'a file is elsewhere',
        () => writeBundle({ 'index.html': HTML }, [{ path: '../index.html', sha256: '00' }]),
        'is not a list of files',
      ],
      ['it has no page', () => writeBundle({ 'a.js': SCRIPT }), 'it has no index.html'],
      [
        'it has what no page consists of',
        () => writeBundle({ 'index.html': HTML, 'a.exe': 'x' }),
        'a.exe is of no kind',
      ],
    ])('%s', async (_, make, sentence) => {
      await make();
      const error = await refusal();
      expect(error).toBeInstanceOf(HttpEdgeError);
      expect(error).toMatchObject({
        code: 'invalid_bundle',
        message: expect.stringContaining(sentence) as unknown,
      });
    });

    it('its page has no place for a nonce', async () => {
      await writeBundle({ 'index.html': '<!doctype html>' });
      const bundle = await readWebBundle(folder);
      expect(() => new WebAppPages(bundle)).toThrow('no place for a nonce');
    });
  });

  describe('served', () => {
    beforeEach(async () => {
      await writeFile(join(folder, 'x'), '');
      const { mkdir } = await import('node:fs/promises');
      await mkdir(join(folder, 'assets'));
      await writeBundle({ 'index.html': HTML, 'assets/a-1.js': SCRIPT, 'licenses.md': 'MIT' });
      const pages = new WebAppPages(await readWebBundle(folder));
      const listener = pages.before((_, response) => response.writeHead(418).end('other'));
      server = createServer((request, response) => {
        try {
          listener(request, response);
        } catch (error) {
          response.writeHead(405).end((error as HttpEdgeError).code);
        }
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });

    afterEach(() => {
      server.closeAllConnections();
      server.close();
    });

    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(`${origin}${path}`, { headers });
    /** The path as it stands: fetch would tidy it up. */
    const rawStatus = (path: string): Promise<number> =>
      new Promise((resolve, reject) => {
        httpRequest(origin, { path, headers: { accept: 'text/html' } }, (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });

    it.each([
      '/',
      '/audit',
      '/audit/0198c0de-7a3b-7c4d-8e5f-0123456789ab',
      '/upgrades/billing-1.4.0',
      '/a?b=c',
    ])('answers %s with the page', async (path) => {
      const answer = await get(path, { accept: 'text/html,application/xhtml+xml' });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await answer.text()).toContain('/assets/a-1.js');
    });

    it.each([
      '/kernel',
      '/kernel/nothing',
      '/KERNEL/audit',
      '/%6bernel/audit',
      '/log/0/checkpoint',
      '/auth/login',
      '/docs/nothing',
      '/openapi.json',
      '/assets/gone.js',
      '/assets/../index.html',
      '/favicon.ico',
      '/.well-known/security.txt',
      '/%ff',
    ])('leaves %s to others', async (path) => {
      expect(await rawStatus(path)).toBe(418);
    });

    it('is no answer to who wants no page', async () => {
      expect((await get('/audit', { accept: 'application/json' })).status).toBe(418);
      expect((await get('/audit', { accept: 'image/avif,image/webp' })).status).toBe(418);
      expect((await get('/audit', { accept: '*/*' })).status).toBe(200);
    });

    it('has a policy without inline script, and another nonce each time', async () => {
      const [one, two] = [await get('/'), await get('/')];
      const nonceOf = (answer: Response) =>
        /style-src 'self' 'nonce-([A-Za-z0-9+/]{22}==)'/.exec(
          answer.headers.get('content-security-policy') ?? '',
        )?.[1];
      expect(await one.text()).toContain(`nonce="${nonceOf(one)}"`);
      expect(nonceOf(one)).not.toBe(nonceOf(two));
      const policy = one.headers.get('content-security-policy') ?? '';
      expect(policy.split('; ')).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "script-src 'self'",
          "worker-src 'self'",
          "connect-src 'self'",
          "base-uri 'none'",
          "form-action 'self'",
          "frame-ancestors 'none'",
        ]),
      );
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
    });

    it('lets a worker do nothing but compute', async () => {
      const answer = await get('/assets/a-1.js');
      expect(answer.headers.get('content-security-policy')).toBe(
        "default-src 'none'; frame-ancestors 'none'",
      );
      expect((await get('/licenses.md')).headers.get('content-security-policy')).toBeNull();
    });

    it('has its files for ever, small, and by their tags', async () => {
      const plain = await get('/assets/a-1.js', { 'accept-encoding': 'identity' });
      expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(plain.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
      expect(await plain.text()).toBe(SCRIPT);
      const [status, headers, bytes] = await raw('/assets/a-1.js', { 'accept-encoding': 'br, gzip;q=0.8' });
      expect([status, headers['content-encoding'], headers['vary']]).toEqual([
        200,
        'gzip',
        'Accept-Encoding',
      ]);
      expect(gunzipSync(bytes).toString()).toBe(SCRIPT);
      expect(Number(headers['content-length'])).toBeLessThan(SCRIPT.length / 2);
      const [refused] = await raw('/assets/a-1.js', { 'accept-encoding': 'gzip;q=0' });
      expect(refused).toBe(200);
      const again = await get('/assets/a-1.js', {
        'accept-encoding': 'identity',
        'if-none-match': String(plain.headers.get('etag')),
      });
      expect(again.status).toBe(304);
    });

    it('tells what it consists of', async () => {
      const list = await (await get('/bundle.json', { accept: 'application/json' })).text();
      const { sha256: name } = await readWebBundle(folder);
      expect(sha256(list)).toBe(name);
    });

    it('answers HEAD without a body, and takes nothing', async () => {
      const head = await fetch(`${origin}/audit`, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
      const post = await fetch(`${origin}/audit`, { method: 'POST', body: '{}' });
      expect([post.status, post.headers.get('allow'), await post.text()]).toEqual([
        405,
        'GET, HEAD',
        'method_not_allowed',
      ]);
    });

    const raw = (
      path: string,
      headers: Record<string, string>,
    ): Promise<[number, Record<string, unknown>, Buffer]> =>
      new Promise((resolve, reject) => {
        httpRequest(origin, { path, headers }, (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () => resolve([answer.statusCode ?? 0, answer.headers, Buffer.concat(chunks)]));
        })
          .on('error', reject)
          .end();
      });
  });
});
