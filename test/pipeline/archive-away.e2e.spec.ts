import { describeWithS3, withStack } from '#dev/testing';
import { until } from '../faults/until';

/** The limit within which an operator is told. */
const TOLD_WITHIN_MS = 10_000;

describeWithS3(
  'an S3 server that is',
  () => {
    const stack = withStack({
      archive: 's3',
      workers: ['outbox-relay', 'archiver', 'log-publisher'],
      logLevel: 'info',
    });
    const WORKERS = ['archiver', 'log-publisher'] as const;
    const server = () => {
      const found = stack().archive.server;
      if (found === undefined) throw new Error('the stack has no S3 server');
      return found;
    };
    const signal = async (name: NodeJS.Signals): Promise<void> => {
      process.kill(Number(server().pid), name);
    };
    const ready = async (app: (typeof WORKERS)[number]): Promise<{ status: number; text: string }> => {
      const answer = await fetch(`${stack().worker(app).managementUrl}/ready`);
      return { status: answer.status, text: await answer.text() };
    };
    const lines = async (app: string, text: string): Promise<number> =>
      (await stack().log(app)).split(text).length - 1;

    it.each([
      ['hung', () => signal('SIGSTOP'), () => signal('SIGCONT')],
      ['away', () => server().kill('SIGKILL'), () => server().start()],
    ])(
      '%s is known within ten seconds, while nothing is written',
      async (_what, take, giveBack) => {
        const before = await Promise.all(WORKERS.map((app) => lines(app, 'the archive does not answer')));
        await take();
        const since = performance.now();
        await until(
          '/ready of both says so',
          async () => {
            const states = await Promise.all(WORKERS.map(ready));
            return states.every(
              ({ status, text }) => status === 503 && /archive has not answered since/.test(text),
            );
          },
          TOLD_WITHIN_MS,
        );
        await until(
          'the logs say so',
          async () => {
            const now = await Promise.all(WORKERS.map((app) => lines(app, 'the archive does not answer')));
            return now.every((count, at) => count === Number(before[at]) + 1);
          },
          TOLD_WITHIN_MS,
        );
        expect(performance.now() - since).toBeLessThan(TOLD_WITHIN_MS);
        await giveBack();
        await until('both are ready again', async () =>
          (await Promise.all(WORKERS.map(ready))).every(({ status }) => status === 200),
        );
        // A line reaches the file after the worker wrote it, which may be after /ready answered.
        await until('the logs say that', async () =>
          (await Promise.all(WORKERS.map((app) => lines(app, 'the archive answers again')))).every(
            (count, at) => count === Number(before[at]) + 1,
          ),
        );
        const written = await stack()
          .client('OPERATOR')
          .post(
            '/kernel/audit',
            { type: 'door.opened', payload: {} },
            { headers: { 'kernel-await': 'archived' } },
          );
        expect([201, 202]).toContain(written.status);
      },
      90_000,
    );
  },
  { own: true },
);
