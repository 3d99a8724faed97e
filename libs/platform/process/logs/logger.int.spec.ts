import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

/** Tests that nothing is lost when a process ends: lines are buffered, so this needs a process of its own. */
describe('the buffered logger', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'logger-'));
    buildSync({
      entryPoints: [join(__dirname, 'logger.ts')],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile: join(dir, 'logger.cjs'),
      logLevel: 'error',
    });
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  function start(ending: string, stdout: number | 'pipe'): ChildProcess {
    const program = `
      const { createLogger } = require(${JSON.stringify(join(dir, 'logger.cjs'))});
      const logger = createLogger({ app: 'child', level: 'info' });
      for (let i = 1; i <= 2000; i++) logger.info({ i }, 'line');
      ${ending}`;
    return spawn(process.execPath, ['-e', program], { stdio: ['pipe', stdout, 'ignore'] });
  }

  async function run(
    ending: string,
    stdout: number | 'pipe' = 'pipe',
  ): Promise<{ lines: string[]; code: number | null }> {
    const child = start(ending, stdout);
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    return { lines: Buffer.concat(chunks).toString().trimEnd().split('\n'), code };
  }

  it.each([
    ['comes to its end', '', 0],
    ['is ended', 'process.exit(3);', 3],
    ['fails', 'throw new Error("x");', 1],
    ['ends later', 'setTimeout(() => process.exit(4), 50);', 4],
  ])('has written every line when the process %s', async (_, ending, expected) => {
    const { lines, code } = await run(ending);
    expect(code).toBe(expected);
    expect(lines).toHaveLength(2000);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ app: 'child', i: 2000, msg: 'line' });
  });

  /** A disk without room: every write to it is ENOSPC. */
  const onFullDisk = existsSync('/dev/full') ? it : it.skip;

  onFullDisk.each([
    ['works on', 'setTimeout(() => process.exit(5), 800);', 5],
    ['comes to its end', 'setTimeout(() => undefined, 800);', 0],
    ['is ended at once', 'process.exit(3);', 3],
  ])('ends no process whose log cannot be written, when it %s', async (_, ending, expected) => {
    const full = openSync('/dev/full', 'w');
    try {
      expect((await run(ending, full)).code).toBe(expected);
    } finally {
      closeSync(full);
    }
  });

  it('stops writing, and not the process, when nobody reads any more', async () => {
    const child = start(
      `process.stdin.once('data', () => { logger.info('more'); setTimeout(() => process.exit(6), 600); }).unref();
       process.stdin.ref();`,
      'pipe',
    );
    child.stdout?.once('data', () => {
      child.stdout?.destroy();
      child.stdin?.write('go');
    });
    expect(((await once(child, 'close')) as [number])[0]).toBe(6);
  });
});
