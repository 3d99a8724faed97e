import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
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

  async function run(ending: string): Promise<{ lines: string[]; code: number | null }> {
    const program = `
      const { createLogger } = require(${JSON.stringify(join(dir, 'logger.cjs'))});
      const logger = createLogger({ app: 'child', level: 'info' });
      for (let i = 1; i <= 2000; i++) logger.info({ i }, 'line');
      ${ending}`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
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
});
