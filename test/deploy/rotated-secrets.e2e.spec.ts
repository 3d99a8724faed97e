import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type MtlsClient, withStack } from '#dev/testing';
import { probe } from '#dev/devstack';
import { expectSoundChain } from '../faults/chain';
import { until } from '../faults/until';

const CALLERS = 6;
const WORKERS = ['outbox-relay', 'indexer'] as const;

/** Callers that sign and record, one request after another; each answer has to be a success. */
class Load {
  readonly failures: string[] = [];
  answered = 0;
  position = '';
  private running = true;
  private readonly callers: Promise<void>[];

  constructor(client: MtlsClient, name: string) {
    this.callers = Array.from({ length: CALLERS }, async (_, caller) => {
      for (let n = 0; this.running; n++) {
        const id = `${name}-${caller}-${n}`;
        const body = { type: 'load.made', stream: `rotation/${caller}`, payload: { id } };
        const answer =
          n % 2 === 0
            ? await client.post('/kernel/audit', body)
            : await client.post('/kernel/sign', { manifest: { id, version: '1.0.0', kind: 'rotation' } });
        if (answer.status >= 300) this.failures.push(`${answer.status} ${answer.text}`);
        else this.position = (JSON.parse(answer.text) as { position: string }).position;
        this.answered += 1;
      }
    });
  }

  async progress(more = 60): Promise<void> {
    const goal = this.answered + more;
    await until(`${more} more answers`, () => this.answered >= goal);
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.callers);
  }
}

const dir = mkdtempSync(join(tmpdir(), 'rotated-secrets-'));
const files = { kernel: join(dir, 'kernel-url'), worker: join(dir, 'worker-url') };
const stack = withStack({
  logLevel: 'info',
  workers: WORKERS,
  idle: ['kernel', ...WORKERS],
  kernelVariables: { DATABASE_URL: '', DATABASE_URL_FILE: files.kernel },
  workerVariables: () => ({ DATABASE_URL: '', DATABASE_URL_FILE: files.worker }),
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a database password that is rotated under load', () => {
  const passwords: string[] = [];
  const contents = new Map<string, string>();
  let admin: Client;
  let operator: MtlsClient;
  let load: Load | undefined;

  const newPassword = (): string => {
    const password = randomBytes(18).toString('base64url');
    passwords.push(password);
    return password;
  };
  const roles = () => ({ kernel: stack().postgres.runtimeRole, worker: stack().postgres.workerRole });
  const urlOf = (whose: 'kernel' | 'worker', login: { username?: string; password: string }): string => {
    const { runtimeUrl, workerUrl } = stack().postgres;
    const url = new URL(whose === 'kernel' ? runtimeUrl : workerUrl);
    Object.assign(url, login);
    return url.href;
  };
  /** Replaces the content of a file as a mount does. */
  const put = async (file: string, content: string): Promise<void> => {
    await writeFile(`${file}.next`, content, { mode: 0o600 });
    await rename(`${file}.next`, file);
    if (content !== '') contents.set(file, content);
  };
  const alter = (role: string, password: string) =>
    admin.query(`ALTER ROLE ${role} LOGIN PASSWORD '${password}'`);
  /** Connections of a role that were opened before a time. */
  const olderThan = async (role: string, at: Date): Promise<string[]> => {
    const { rows } = await admin.query<{ application_name: string }>(
      'SELECT application_name FROM pg_stat_activity WHERE usename = $1 AND backend_start < $2',
      [role, at],
    );
    return rows.map(({ application_name: name }) => name);
  };
  const serverTime = async (): Promise<Date> =>
    (await admin.query<{ now: Date }>('SELECT clock_timestamp() AS now')).rows[0]?.now ?? new Date();

  beforeAll(async () => {
    admin = new Client({ connectionString: stack().postgres.superuserUrl });
    await admin.connect();
    const { runtimeUrl, workerUrl } = stack().postgres;
    for (const [whose, url] of Object.entries({ kernel: runtimeUrl, worker: workerUrl })) {
      passwords.push(new URL(url).password);
      await put(files[whose as keyof typeof files], url);
    }
    await stack().kernels[0]?.process.start();
    for (const name of WORKERS) await stack().worker(name).process.start();
    await stack().whenReady();
    operator = stack().client('OPERATOR', { connections: CALLERS });
  }, 120_000);
  afterEach(async () => {
    await load?.stop();
    load = undefined;
  });
  afterAll(() => admin?.end());

  /** The index has everything that was acknowledged: relay and indexer work on. */
  const copied = async (position: string): Promise<number> => {
    let status = 0;
    await until('the workers have caught up', async () => {
      const headers = { 'Kernel-Min-Position': position };
      ({ status } = await operator.get('/kernel/audit?limit=1', { headers }));
      return status === 200;
    });
    return status;
  };
  const replaced = (role: string, at: Date) =>
    until(
      `no connection of ${role} from before is left`,
      async () => (await olderThan(role, at)).length === 0,
    );

  it.each([
    ['the server knows it before the file', true],
    ['the file has it before the server', false],
  ])('fails no request when %s', async (_, serverFirst) => {
    load = new Load(operator, serverFirst ? 'server-first' : 'file-first');
    await load.progress();
    const next = { kernel: newPassword(), worker: newPassword() };
    const server = async () => {
      await alter(roles().kernel, next.kernel);
      await alter(roles().worker, next.worker);
    };
    const mounts = async () => {
      await put(files.kernel, urlOf('kernel', { password: next.kernel }));
      await put(files.worker, urlOf('worker', { password: next.worker }));
    };
    await (serverFirst ? server() : mounts());
    await load.progress();
    // As long as it takes until a mount follows.
    await delay(1_500);
    await (serverFirst ? mounts() : server());
    const at = await serverTime();
    await replaced(roles().kernel, at);
    await replaced(roles().worker, at);
    await load.progress();
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await copied(load.position)).toBe(200);
  });

  it('may become that of another role: the former one is then used by nobody, and a restart is none', async () => {
    load = new Load(operator, 'two-roles');
    await load.progress();
    const other = { kernel: `${roles().kernel}_b`, worker: `${roles().worker}_b` };
    const next = { kernel: newPassword(), worker: newPassword() };
    for (const whose of ['kernel', 'worker'] as const) {
      await admin.query(
        `CREATE ROLE ${other[whose]} LOGIN PASSWORD '${next[whose]}' IN ROLE ${roles()[whose]}`,
      );
      await put(files[whose], urlOf(whose, { username: other[whose], password: next[whose] }));
    }
    const later = new Date(Date.now() + 3_600_000);
    await replaced(roles().kernel, later);
    await replaced(roles().worker, later);
    await admin.query(`ALTER ROLE ${roles().kernel} NOLOGIN`);
    await admin.query(`ALTER ROLE ${roles().worker} NOLOGIN`);
    await load.progress();
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await copied(load.position)).toBe(200);
    await stack().kernels[0]?.process.kill();
    await stack().kernels[0]?.process.start();
    await stack().whenReady();
    expect((await operator.post('/kernel/audit', { type: 'load.made', payload: {} })).status).toBe(201);
  });

  it('stays what it was while the file is empty, which log and metrics say', async () => {
    await put(files.kernel, '');
    const refused = async (value: number) =>
      (await stack().management('/metrics')).text.includes(
        `secret_file_refused{setting="DATABASE_URL"} ${value}`,
      );
    await until('the file is refused', () => refused(1));
    expect((await operator.post('/kernel/audit', { type: 'load.made', payload: {} })).status).toBe(201);
    expect((await stack().management('/ready')).status).toBe(200);
    // The log waits a moment: a file that is being written is no fault.
    await until('the log says it', async () =>
      (await stack().log('kernel')).includes('the value before stays in force'),
    );
    await put(files.kernel, contents.get(files.kernel) ?? '');
    await until('the file is accepted', () => refused(0));
  });

  it('is nowhere in logs, metrics, environments and answers', async () => {
    await expectSoundChain(stack());
    const shown: Record<string, string> = {};
    for (const { process: service, managementUrl } of [...stack().kernels, ...stack().workers]) {
      shown[`metrics of ${service.name}`] = (await probe(`${managementUrl}/metrics`)).text;
      shown[`readiness of ${service.name}`] = (await probe(`${managementUrl}/ready`)).text;
      shown[`log of ${service.name}`] = await stack().log(service.name);
      const { pid = 0 } = service.current ?? {};
      if (process.platform === 'linux') {
        shown[`environment of ${service.name}`] = await readFile(`/proc/${pid}/environ`, 'utf8');
      }
    }
    shown['an error'] = (await operator.post('/kernel/audit', { type: 'no type' })).text;
    const seen = passwords.flatMap((password) =>
      Object.entries(shown).flatMap(([where, text]) => (text.includes(password) ? [where] : [])),
    );
    expect(seen).toEqual([]);
    expect(Object.values(shown).every((text) => text.length > 0)).toBe(true);
  });
});
