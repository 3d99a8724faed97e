import { EventEmitter } from 'node:events';
import { defineConfig } from './config/define-config';
import { oneOf, text } from './config/setting-types';
import { type AppDefinition, type AppLife, runApp } from './run-app';

const members = {
  KERNEL_NAME: { schema: text(), description: 'A name.' },
  KERNEL_LOG_LEVEL: { schema: oneOf('silent'), description: 'A level.', default: 'silent' },
} as const;
const config = defineConfig(members);
type Definition = AppDefinition<typeof members>;

class Deployment extends Error {}

/** Runs an app in a process whose end resolves. */
function run(app: Partial<Definition> & Pick<Definition, 'start'>, env = { KERNEL_NAME: 'x' } as object) {
  const signals = new EventEmitter();
  let stderr = '';
  const exits: number[] = [];
  const ended = new Promise<{ code: number; stderr: string }>((resolve) => {
    runApp(
      { name: 'worker', config, explained: [Deployment], ...app },
      {
        env: env as Record<string, string>,
        on: (signal, told) => signals.on(signal, told),
        stderr: { write: (chunk) => (stderr += chunk) },
        exit(code) {
          exits.push(code);
          resolve({ code, stderr });
        },
      },
    );
  });
  return { signals, ended, exits };
}

const up = (): Promise<void> => Promise.resolve();

describe('runApp', () => {
  it('gives the app its configuration', async () => {
    const { ended } = run({
      start: async ({ name, isProduction }) => (name === 'x' && !isProduction ? 7 : 8),
    });
    expect(await ended).toEqual({ code: 7, stderr: '' });
  });

  it('closes what was opened last first, one after the other, and exits with 0', async () => {
    const closed: string[] = [];
    const { signals, ended, exits } = run({
      async start(_, { onStop }) {
        onStop(async () => closed.push('database'));
        onStop(async () => {
          await new Promise(setImmediate);
          closed.push('server');
        });
      },
    });
    await up();
    signals.emit('SIGTERM', 'SIGTERM');
    // Impatience changes nothing.
    signals.emit('SIGINT', 'SIGINT');
    signals.emit('SIGTERM', 'SIGTERM');
    expect(await ended).toEqual({ code: 0, stderr: '' });
    expect([closed, exits]).toEqual([['server', 'database'], [0]]);
  });

  it('exits with 1 when it could not stop in order', async () => {
    const { signals, ended } = run({
      async start(_, { onStop }) {
        onStop(() => Promise.reject(new Error('stuck')));
      },
    });
    await up();
    signals.emit('SIGTERM', 'SIGTERM');
    expect((await ended).code).toBe(1);
  });

  it('stops an app that is still starting, whose start then may fail', async () => {
    const closed: string[] = [];
    const { signals, ended, exits } = run({
      async start(_, { onStop, stopping }) {
        onStop(async () => closed.push('database'));
        await new Promise((_resolve, reject) =>
          stopping.addEventListener('abort', () => reject(new Error('told to stop'))),
        );
      },
    });
    await up();
    signals.emit('SIGINT', 'SIGINT');
    expect(await ended).toEqual({ code: 0, stderr: '' });
    expect([closed, exits]).toEqual([['database'], [0]]);
  });

  it('never takes a job for done that was told to stop', async () => {
    const { signals, ended } = run({
      failureCode: 2,
      start: (_, { stopping }) =>
        new Promise((resolve) => stopping.addEventListener('abort', () => resolve(0))),
    });
    await up();
    signals.emit('SIGTERM', 'SIGTERM');
    expect((await ended).code).toBe(2);
  });

  it('says in one line what is wrong with the configuration', async () => {
    const { code, stderr } = await run({ start: up }, {}).ended;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^worker: .*KERNEL_NAME/s)]);
  });

  it.each([
    [
      'an error that is explained',
      new Deployment('the schema is missing'),
      'worker: the schema is missing\n',
    ],
    [
      'a port that is taken',
      Object.assign(new Error('listen EADDRINUSE 127.0.0.1:1'), {
        syscall: 'listen',
        code: 'EADDRINUSE',
        address: '127.0.0.1',
        port: 1,
      }),
      'worker: it cannot listen on 127.0.0.1, port 1 (EADDRINUSE); stop what listens there or choose another port.\n',
    ],
    [
      'a database that is away',
      Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
      'worker: PostgreSQL (DATABASE_URL) cannot be used: ECONNREFUSED.\n',
    ],
  ])('says of %s what it is', async (_, error, said) => {
    const { ended } = run({ start: () => Promise.reject(error) });
    expect(await ended).toEqual({ code: 1, stderr: said });
  });

  it('shows where a fault of ours came from, without credentials', async () => {
    const { ended } = run({ start: () => Promise.reject(new Error('postgres://a:secret@db broke')) });
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/postgres:\/\/\[redacted\]@db broke\n +at /)]);
  });

  it('ends an app that says that it cannot go on, with the exit code that it has for that', async () => {
    let life: AppLife | undefined;
    const { ended, exits } = run({ start: async (_, given) => void (life = given), failureCode: 2 });
    await up();
    life?.fail(new Deployment('the topic does not fit'));
    expect(await ended).toEqual({ code: 2, stderr: 'worker: the topic does not fit\n' });
    expect(exits).toEqual([2]);
  });

  it('closes what was opened when an app is done by itself', async () => {
    let closed = false;
    const { ended } = run({
      async start(_, { onStop }) {
        onStop(async () => (closed = true));
        return 1;
      },
    });
    expect([await ended, closed]).toEqual([{ code: 1, stderr: '' }, true]);
  });
});
