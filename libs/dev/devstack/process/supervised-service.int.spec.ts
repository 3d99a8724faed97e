import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BoundedLog } from './bounded-log';
import { startChild } from './child-process';
import { SupervisedService } from './supervised-service';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(10);
}

describe('SupervisedService', () => {
  let dir: string;
  let service: SupervisedService | undefined;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'supervised-'));
  });
  afterEach(async () => {
    await service?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  function define(script: string, options: { restart?: boolean; stopGraceMs?: number } = {}): string[] {
    const notes: string[] = [];
    const log = new BoundedLog(join(dir, 'log'));
    service = new SupervisedService({
      name: 'sample',
      stopGraceMs: options.stopGraceMs ?? 5_000,
      ...(options.restart === undefined ? {} : { restart: options.restart }),
      onChange: (_, note) => notes.push(note),
      async start(signal) {
        const child = await startChild({
          command: process.execPath,
          args: ['-e', script],
          env: {},
          cwd: dir,
          log,
        });
        while (!log.tail().includes('up')) {
          if (child.exit !== undefined) throw new Error(`ended: ${log.tail().join(' ')}`);
          signal.throwIfAborted();
          await delay(5);
        }
        return child;
      },
    });
    return notes;
  }
  const lives = 'console.log("up"); setInterval(() => {}, 1000)';

  it('starts a process that dies again, and stops it for good when it is told to', async () => {
    const notes = define(lives);
    await service?.start();
    const first = service?.current?.pid;
    await service?.kill();
    await until(() => service?.state === 'running' && service.current?.pid !== first);
    expect(service?.restarts).toBe(1);
    expect(notes).toEqual([
      'starting',
      `running as process ${first}`,
      'ended (SIGKILL), starting it again',
      'starting again',
      `running again as process ${service?.current?.pid}`,
    ]);
    await service?.stop();
    expect(service?.state).toBe('stopped');
    expect(service?.current).toBeUndefined();
    await service?.start();
    expect(service?.state).toBe('running');
  });

  it('waits longer each time while the process keeps dying', async () => {
    define('console.log("up"); setTimeout(() => process.exit(3), 20)');
    await service?.start();
    const started = performance.now();
    await until(() => (service?.restarts ?? 0) >= 3);
    // 200 + 400 + 800 ms of pauses.
    expect(performance.now() - started).toBeGreaterThan(1_400);
  });

  it('leaves a process dead when it shall', async () => {
    define(lives, { restart: false });
    await service?.start();
    await service?.kill();
    expect(service?.state).toBe('stopped');
    expect(service?.restarts).toBe(0);
    await service?.start();
    expect(service?.state).toBe('running');
  });

  it('does not try again when the very first start fails', async () => {
    define('console.error("no such setting"); process.exit(1)');
    await expect(service?.start()).rejects.toThrow('ended: no such setting');
    expect(service?.state).toBe('stopped');
  });

  it('kills a process that does not stop within its grace', async () => {
    define(`process.on('SIGTERM', () => {}); ${lives}`, { stopGraceMs: 100 });
    await service?.start();
    const child = service?.current;
    await service?.stop();
    expect(child?.exit).toEqual({ code: null, signal: 'SIGKILL' });
  });
});
