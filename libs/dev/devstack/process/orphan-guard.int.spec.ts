import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { transformFile } from '@swc/core';
import { workTree } from '../build/running-build';
import { identityOf, isRunning, type ProcessIdentity, signalProcess } from './process-identity';

/** Compiles the files that a plain node process is to run here, in the layout that they have. */
async function compileTo(dir: string): Promise<void> {
  await mkdir(join(dir, 'process'));
  for (const file of [
    'devstack.error',
    'process/bounded-log',
    'process/child-process',
    'process/orphan-guard',
    'process/process-identity',
  ]) {
    await compile(join(__dirname, '..', `${file}.ts`), join(dir, `${file}.js`));
  }
  // All that these files need of #evidence.
  await compile(join(workTree(), 'libs/evidence/coded-error.ts'), join(dir, 'coded-error.js'));
  await writeFile(
    join(dir, 'package.json'),
    JSON.stringify({ imports: { '#evidence': './coded-error.js' } }),
  );
}

async function compile(source: string, target: string): Promise<void> {
  const { code } = await transformFile(source, { swcrc: true });
  await writeFile(target, code);
}

async function gone(identity: ProcessIdentity): Promise<void> {
  while (isRunning(identity)) await delay(20);
}

describe('the orphan guard', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'orphan guard-'));
    await compileTo(dir);
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  /** A supervisor with two children: one ends on SIGTERM, one ignores it. */
  async function supervisor() {
    const script = join(dir, 'supervisor.js');
    await writeFile(
      script,
      `const { startChild } = require('./process/child-process.js');
       const { BoundedLog } = require('./process/bounded-log.js');
       const { guardFolder, releaseFolder } = require('./process/orphan-guard.js');
       const { mkdirSync } = require('node:fs');
       for (const name of ['kernel-test-a b', 'kernel-test-kept', 'precious']) {
         mkdirSync(__dirname + '/' + name + '/inside', { recursive: true });
         guardFolder(__dirname + '/' + name);
       }
       releaseFolder(__dirname + '/kernel-test-kept');
       (async () => {
         const log = new BoundedLog(__dirname + '/log');
         const child = (args) => startChild({ command: process.execPath, args, env: {}, cwd: __dirname, log });
         const polite = await child(['-e', 'console.log("up"); setInterval(() => {}, 1000)']);
         const stubborn = await child(['-e', 'process.on("SIGTERM", () => console.log("no")); console.log("up"); setInterval(() => {}, 1000)']);
         while (log.tail().filter((l) => l === 'up').length < 2) await new Promise((r) => setTimeout(r, 10));
         console.log(JSON.stringify([polite.pid, stubborn.pid]));
         setInterval(() => {}, 1000);
       })();`,
    );
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const pids = JSON.parse(line.toString('utf8')) as number[];
    return { child, children: pids.map((pid) => identityOf(pid) as ProcessIdentity) };
  }

  it('ends the children of a supervisor that was killed outright, also one that ignores SIGTERM', async () => {
    const { child, children } = await supervisor();
    expect(children.every(isRunning)).toBe(true);
    child.kill('SIGKILL');
    await Promise.all(children.map(gone));
    expect(await readFile(join(dir, 'log'), 'utf8')).toContain('up');
    while (existsSync(join(dir, 'kernel-test-a b'))) await delay(20);
    expect((await readdir(dir)).filter((name) => !name.includes('.'))).toEqual([
      'kernel-test-kept',
      'log',
      'precious',
      'process',
    ]);
  });

  it('never signals a process that only has the number of a recorded one', async () => {
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(bystander, 'spawn');
    const identity = identityOf(bystander.pid as number) as ProcessIdentity;
    expect(signalProcess({ pid: identity.pid, startedAt: 'another boot/1' }, 'SIGKILL')).toBe(false);
    expect(isRunning(identity)).toBe(true);
    expect(signalProcess(identity, 'SIGKILL')).toBe(true);
    await once(bystander, 'exit');
    expect(isRunning(identity)).toBe(false);
  });
});
