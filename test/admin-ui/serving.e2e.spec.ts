import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type SecurityStatus } from '#openapi/kernel';
import { withStack } from '#dev/testing';
import { kernelContract } from '../contract/contract.client';

/** For the first page: script and sheet of every page, and what the overview loads beside them. */
const FIRST_PAGE_BYTES = 250_000;
const ASIDE = /\bhref="(\/[^"]+)"[^>]*\bintegrity="([^"]+)"|\bsrc="(\/[^"]+)"[^>]*\bintegrity="([^"]+)"/g;

const digest = (algorithm: string, bytes: Uint8Array, encoding: 'hex' | 'base64') =>
  createHash(algorithm).update(bytes).digest(encoding);

describe('the admin UI is served', () => {
  const stack = withStack({ people: true });
  const get = (path: string, headers: Record<string, string> = { accept: 'text/html' }) =>
    fetch(`${stack().web?.origin}${path}`, { headers, redirect: 'manual' });
  const bytesOf = async (path: string) => new Uint8Array(await (await get(path, {})).arrayBuffer());

  it('at every path that is neither of the API nor of sign-in', async () => {
    const home = await (await get('/')).text();
    for (const path of ['/audit', '/audit/x.y', '/there/is/no/such/page?a=b']) {
      const answer = await get(path);
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
        path,
        200,
        'text/html; charset=utf-8',
      ]);
      expect((await answer.text()).length).toBe(home.length);
    }
  });

  it('at no path below which the contract has an operation', async () => {
    const firsts = new Set(kernelContract().operations.map(({ path }) => path.split('/')[1]));
    expect(firsts.size).toBeGreaterThan(1);
    for (const first of [...firsts, 'auth', 'docs']) {
      for (const path of [`/${first}/there-is-no-such`, `/${first}/there/is/no/such`]) {
        const answer = await get(path);
        expect([path, answer.status]).toEqual([path, 404]);
        expect(await answer.text()).not.toContain('id="root"');
      }
    }
    for (const path of ['/kernel/keys', '/kernel/audit']) {
      const answer = await get(path);
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
        path,
        401,
        'application/problem+json',
      ]);
    }
  });

  it('not on the service API', async () => {
    for (const path of ['/', '/audit', '/bundle.json']) {
      expect([path, (await stack().client('SUPERADMIN').get(path)).status]).toEqual([path, 404]);
    }
  });

  it('by a strict policy, never from a cache, as nobody’s frame', async () => {
    const { headers } = await get('/');
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'nonce-[A-Za-z0-9+/=]{24}'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'$/,
    );
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
  });

  it('with the digest of every script and sheet in the page, and no script in it', async () => {
    const html = await (await get('/')).text();
    const named = [...html.matchAll(ASIDE)].map(([, href, one, src, two]) => [href ?? src, one ?? two]);
    expect(named.length).toBeGreaterThanOrEqual(2);
    const loaded =
      html.match(/<script\b[^>]*>|<link\b[^>]*\brel="(?:modulepreload|stylesheet)"[^>]*>/g) ?? [];
    expect(loaded.length).toBe(named.length);
    expect(loaded.filter((element) => !/ integrity="sha384-[^"]+"/.test(element))).toEqual([]);
    for (const [path = '', integrity] of named) {
      expect([path, `sha384-${digest('sha384', await bytesOf(path), 'base64')}`]).toEqual([path, integrity]);
    }
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|\son[a-z]+=|<style|javascript:/);
    // Those that are loaded later.
    const content = /<meta name="integrity" content="([^"]*)">/.exec(html)?.[1] ?? '';
    const later = Object.entries(JSON.parse(content.replaceAll('&quot;', '"')) as Record<string, string>);
    const { files } = (await (await get('/bundle.json', {})).json()) as { files: { path: string }[] };
    const scripts = files.map(({ path }) => `/${path}`).filter((path) => path.endsWith('.js'));
    expect(later.map(([path]) => path).sort()).toEqual(scripts.sort());
    for (const [path, integrity] of later) {
      expect(`sha384-${digest('sha384', await bytesOf(path), 'base64')}`).toBe(integrity);
    }
  });

  it('as the security status says, file by file', async () => {
    const { adminUi } = (await stack().client('AUDITOR').get('/kernel/security/status'))
      .json as SecurityStatus;
    const list = await bytesOf('/bundle.json');
    expect(digest('sha256', list, 'hex')).toBe(adminUi?.sha256);
    const { files } = JSON.parse(Buffer.from(list).toString()) as {
      files: { path: string; sha256: string }[];
    };
    for (const { path, sha256 } of files.filter((file) => file.path !== 'index.html')) {
      expect([path, digest('sha256', await bytesOf(`/${path}`), 'hex')]).toEqual([path, sha256]);
    }
  });

  it('small: the first page in 250 kB', async () => {
    const html = await (await get('/')).text();
    const first = [...html.matchAll(ASIDE)].map(([, href, , src]) => href ?? src ?? '');
    const { files } = (await (await get('/bundle.json', {})).json()) as { files: { path: string }[] };
    // The overview and the files that it shares with other screens; which of those it needs, only its script says.
    const overview = files.map(({ path }) => `/${path}`).filter((path) => /\/overview\.screen-/.test(path));
    expect(overview).toHaveLength(1);
    const script = Buffer.from(await bytesOf(overview[0] ?? '')).toString();
    const shared = [...script.matchAll(/from\s*["']\.\/([^"']+)["']/g)].map(([, name]) => `/assets/${name}`);
    const paths = [...new Set([...first, ...overview, ...shared])];
    let bytes = gzipSync(html, { level: 9 }).length;
    for (const path of paths) bytes += gzipSync(await bytesOf(path), { level: 9 }).length;
    expect(bytes).toBeLessThan(FIRST_PAGE_BYTES);
    expect(bytes).toBeGreaterThan(50_000);
  });

  it('small on the way, and for ever where its name has its content', async () => {
    const html = await (await get('/')).text();
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)?.[1] ?? '';
    const answer = await get(script, { 'accept-encoding': 'gzip' });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });
});

describe('where the admin UI was not built', () => {
  const stack = withStack({ people: true, kernelVariables: { KERNEL_ADMIN_UI_FOLDER: 'not-built' } });

  it('a development kernel has a plain page, and says that it serves none', async () => {
    const page = await (await fetch(`${stack().web?.origin}/`, { headers: { accept: 'text/html' } })).text();
    expect(page).toContain('<a href="/auth/login">Sign in</a>');
    const { adminUi } = (await stack().client('AUDITOR').get('/kernel/security/status'))
      .json as SecurityStatus;
    expect(adminUi).toBeNull();
    expect(await stack().log('kernel')).toContain('there is no admin UI');
  });
});
