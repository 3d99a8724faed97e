import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SETTINGS = JSON.stringify(join(__dirname, 'runtime-settings.ts'));

/** Runs code in a process of its own, where Node strips the types itself, without the flags of the test runner. */
function inProcess(
  program: string,
  env: Record<string, string> = {},
): Promise<{ stdout: string; stderr: string }> {
  const flags = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', '--input-type=module'];
  return run(process.execPath, [...flags, '--eval', program], { env });
}

describe('sizeThreadPool', () => {
  const COUNT_THREADS = `
    const { sizeThreadPool } = await import(${SETTINGS}); sizeThreadPool();
    const { pbkdf2 } = await import('node:crypto');
    const { readdirSync, readFileSync } = await import('node:fs');
    await Promise.all(Array.from({ length: 64 }, () => new Promise((done) => pbkdf2('', '', 1, 1, 'sha256', done))));
    const names = readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8'));
    console.log(names.filter((name) => name.startsWith('libuv-worker')).length);
  `;

  it('gives the pool a thread a core, and two at least', async () => {
    const { stdout } = await inProcess(COUNT_THREADS);

    expect(Number(stdout)).toBe(Math.max(2, availableParallelism()));
  });

  it('leaves the size to the environment where it says one', async () => {
    const { stdout } = await inProcess(COUNT_THREADS, { UV_THREADPOOL_SIZE: '3' });

    expect(Number(stdout)).toBe(3);
  });
});
