import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { withStack, workTree } from '#dev/testing';

const run = promisify(execFile);
/** Packages of three languages are fetched and compiled. */
const TIMEOUT_MS = 420_000;

interface Block {
  language: string;
  text: string;
}

/** The fenced blocks of a page, in order. */
/** One word of the shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

describe('docs/integrating.md', () => {
  const stack = withStack({
    shards: 2,
    workers: ['outbox-relay', 'indexer', 'archiver', 'log-publisher'],
  });
  let folder: string;
  const said = (name: string) => readFile(join(folder, name), 'utf8');
  const json = async (name: string) => JSON.parse(await said(name));

  beforeAll(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'kernel-test-integrating-')), 'ein Ordner für sie');
    await mkdir(folder);
    const blocks = blocksOf(await readFile(join(workTree(), 'docs', 'integrating.md'), 'utf8'));
    // A program says its name in its first line; the shell's blocks use what is there before them.
    const { identities, kernels } = stack();
    const { cert, key } = identities.callers.OPERATOR;
    const settings = {
      kernel: workTree(),
      KERNEL_API_URL: kernels[0]?.apiUrl ?? '',
      KERNEL_CA_CERT: identities.caCert,
      KERNEL_OPERATOR_CERT: cert,
      KERNEL_OPERATOR_KEY: key,
      KERNEL_SUPERADMIN_CERT: identities.callers.SUPERADMIN.cert,
      KERNEL_SUPERADMIN_KEY: identities.callers.SUPERADMIN.key,
      RECEIVER_CERT: identities.kernelServer.cert,
      RECEIVER_KEY: identities.kernelServer.key,
    };
    const script = [
      'set -euo pipefail',
      // The Node that runs the tests, whichever the shell would find.
      `export PATH=${quoted(dirname(process.execPath))}:"$PATH"`,
      ...Object.entries(settings).map(([name, value]) => `export ${name}=${quoted(value)}`),
    ];
    for (const { language, text } of blocks) {
      if (language === 'sh') {
        script.push(text);
        continue;
      }
      const name = /^(?:#|\/\/) (\S+)\n/.exec(text)?.[1];
      if (name === undefined) throw new Error(`a block in ${language} does not say its file's name`);
      await writeFile(join(folder, name), text);
    }
    await writeFile(join(folder, 'blocks.sh'), script.join('\n'));
    await run('bash', ['-x', 'blocks.sh'], { cwd: folder, timeout: TIMEOUT_MS, maxBuffer: 2 ** 26 })
      .catch((error: Error & { stdout: string; stderr: string }) => {
        throw new Error(
          `${error.message.slice(0, 200)}\n${error.stdout.slice(-2_000)}\n${error.stderr.slice(-4_000)}`,
        );
      })
      .then(async ({ stdout }) => writeFile(join(folder, 'stdout.txt'), stdout));
  }, TIMEOUT_MS);
  afterAll(async () => {
    await rm(dirname(folder), { recursive: true, force: true });
  });

  it('appends, lists, pages, follows, signs and proves with curl', async () => {
    const streams = (page: { events: { stream: string }[] }) => page.events.map(({ stream }) => stream);
    const pages = [...streams(await json('page.json')), ...streams(await json('next-page.json'))];
    expect(pages.sort()).toEqual(['invoice/2026-17', 'invoice/2026-18', 'invoice/2026-19']);
    const { audit_id } = await json('signed.json');
    expect((await json('signatures.json')).events).toMatchObject([{ id: audit_id, type: 'manifest.signed' }]);
    expect(await json('refusal.json')).toMatchObject({ status: 400, error: 'reserved_name' });
    const lines = (await said('stdout.txt')).split('\n');
    expect(lines).toContain('3');
    expect(lines).toContain('reserved_name');
    expect(await said('stdout.txt')).toMatch(/the event is in the log \S+ at index \d+/);
  });

  it('does so with the packed package, which also type-checks', async () => {
    expect((await said('typescript.txt')).split('\n')).toEqual([
      'order.placed order/4711 { items: 3 }',
      expect.stringMatching(/^came true \d+:\d+/),
      'shards 2',
      'refused 400 reserved_name',
      'verified true []',
      '',
    ]);
    const tsc = join(workTree(), 'node_modules', 'typescript', 'bin', 'tsc');
    const options = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext', '--skipLibCheck'];
    const types = ['--typeRoots', join(workTree(), 'node_modules', '@types'), '--types', 'node'];
    await run(process.execPath, [tsc, ...options, ...types, 'integrate.mts'], { cwd: folder });
  });

  it('is called by a webhook, whose signature the library of Standard Webhooks verifies', async () => {
    expect(await said('received.txt')).toBe('received invoice.booked invoice/2026-17 { account: 4400 }\n');
    expect(await json('dead.json')).toEqual({ deliveries: [], nextCursor: null });
    expect(await json('redelivery.json')).toMatchObject({ eventIds: null });
    const [made, rotated] = [await json('webhook.json'), await json('rotated.json')];
    expect(rotated).toMatchObject({ id: made.id, secret: { version: 2 } });
    expect(rotated.signingSecret).toMatch(/^whsec_/);
    expect(rotated.signingSecret).not.toBe(made.signingSecret);
    expect(await json('paused.json')).toMatchObject({ id: made.id, status: 'paused' });
    expect(await json('removed.json')).toMatchObject({ id: made.id });
  });

  it('does so with the client that is generated for Python', async () => {
    expect((await said('python.txt')).split('\n')).toEqual([
      "found ['order/4711', 'order/4712']",
      'refused 400 reserved_name',
      '',
    ]);
  });

  it('does so with the client that is generated for Go', async () => {
    expect((await said('go.txt')).split('\n')).toEqual(['found 3', 'refused 400 reserved_name', '']);
  });
});
