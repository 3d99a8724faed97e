import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defineConfig, loadConfig, text } from '#platform/process';
import { ensureBuilt, workTree } from '#dev/testing';

/** Only the system calls themselves show what was flushed, and when. */
const traceable = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0;
const { ci } = loadConfig(
  defineConfig({ CI: { schema: text().optional(), description: 'Set by CI systems.' } }),
);
const required = ci === 'true' || ci === '1';
const [suite, title] =
  traceable || required
    ? [describe, 'the order of writing and flushing in the folder archive']
    : [
        describe.skip,
        'the order of writing and flushing in the folder archive (skipped: strace is not installed)',
      ];

suite(title, () => {
  let dir: string;
  beforeAll(async () => {
    await ensureBuilt();
    dir = await realpath(await mkdtemp(join(tmpdir(), 'durability-')));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  /** The calls that a program makes on files below `dir`, with the paths relative to it. */
  async function callsOf(program: string): Promise<string[]> {
    const trace = join(dir, 'trace');
    const door = JSON.stringify(join(workTree(), 'dist/libs/platform/archive/index.js'));
    const script = `const { FolderArchive } = require(${door}); (async () => { ${program} })();`;
    const calls = 'trace=write,pwrite64,fsync,fchmod,link,linkat,unlink,unlinkat,mkdir,mkdirat';
    await promisify(execFile)('strace', [
      '-f',
      '-y',
      '-e',
      calls,
      '-o',
      trace,
      process.execPath,
      '-e',
      script,
    ]);
    const lines = (await readFile(trace, 'utf8')).split('\n');
    return lines
      .filter((line) => line.includes(`${dir}/archive`) || line.includes(`<${dir}>`))
      .filter((line) => !/= -1 E|<unfinished/.test(line))
      .map((line) => {
        const call = /(?<name>[a-z0-9]+)(?:\(| resumed>)/.exec(line)?.groups?.['name'] ?? '?';
        const paths = [...line.matchAll(/[<"](?<path>\/[^">]*)[">]/g)]
          .map(({ groups }) => groups?.['path'] ?? '')
          .filter((path) => path.startsWith(dir))
          .map((path) => path.slice(dir.length + 1).replace(/[^/]*~1\.partial/, '*'));
        return [call.replace(/at$|64$/, ''), ...paths].join(' ');
      });
  }

  it('lets an object appear only when its bytes are on disk, and answers only when its name is', async () => {
    const calls = await callsOf(`
      const archive = await FolderArchive.open({ dir: ${JSON.stringify(join(dir, 'archive'))} });
      await archive.putDocument('audit/23/x.json', Buffer.from('{}'));
      await archive.close();`);
    expect(calls).toEqual([
      'mkdir archive',
      'fsync ',
      'mkdir archive/.incoming',
      'mkdir archive/audit',
      'fsync archive',
      'mkdir archive/audit/23',
      'fsync archive/audit',
      'write archive/.incoming/*',
      'fchmod archive/.incoming/*',
      'fsync archive/.incoming/*',
      'link archive/.incoming/* archive/audit/23/x.json',
      'unlink archive/.incoming/*',
      'fsync archive/audit/23',
    ]);
  });

  it('flushes also what it finds there: whoever put it may have died before that', async () => {
    const calls = await callsOf(`
      const archive = await FolderArchive.open({ dir: ${JSON.stringify(join(dir, 'archive'))} });
      if (await archive.putDocument('audit/23/x.json', Buffer.from('{}')) !== 'already') process.exit(1);
      await archive.close();`);
    expect(calls).toEqual([
      'fsync archive',
      'fsync archive/audit',
      'fsync archive/audit/23/x.json',
      'fsync archive/audit/23',
    ]);
  });
});
