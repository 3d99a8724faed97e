import { Client } from 'pg';
import { type ModeState, type SecurityStatus } from '#openapi/kernel';
import { openRequest } from './restore-window';
import { withStack } from '#dev/testing';
import { expectSoundChain } from './chain';
import { until } from './until';

describe('a database that was put back to an earlier backup', () => {
  const stack = withStack();
  const get = async (path: string) => (await stack().client('SUPERADMIN').get(path)).json;
  const status = (): Promise<SecurityStatus> => get('/kernel/security/status') as Promise<SecurityStatus>;
  const head = async (): Promise<number> => (await status()).heads[0]?.seq ?? 0;
  const write = (n: number) =>
    stack()
      .client('OPERATOR')
      .request('POST', '/kernel/audit', { json: { type: 'thing.changed', payload: { n } } });
  const writeMany = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) expect((await write(n)).status).toBe(201);
  };
  const setMode = (mode: string) =>
    stack()
      .client('SUPERADMIN')
      .request('POST', '/kernel/admin/mode', { json: { mode, reason: 'a test' } });
  const kernel = () => stack().kernels[0]!.process;

  /** A superuser's connection to another database than the kernel's. */
  async function sql(...statements: string[]): Promise<void> {
    const url = new URL(stack().postgres.superuserUrl);
    url.pathname = '/postgres';
    const client = new Client({ connectionString: url.href });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  }

  let database: string;
  let lost: number;
  let backedUp: number;

  beforeAll(async () => {
    database = new URL(stack().postgres.superuserUrl).pathname.slice(1);
    await writeMany(20);
    await kernel().stop();
    await sql(`CREATE DATABASE backup TEMPLATE ${database}`);
    await kernel().start();
    await stack().whenReady();
    backedUp = await head();
    await writeMany(15);
    lost = await head();
    expect(lost).toBe(backedUp + 15);
    await kernel().stop();
    await sql(`DROP DATABASE ${database} WITH (FORCE)`, `CREATE DATABASE ${database} TEMPLATE backup`);
    await kernel().start();
  });

  it('puts the kernel into safe-mode by itself, and it says what to do', async () => {
    await until('safe-mode', async () => (await status()).mode === 'safe-mode');
    const { reason, actor } = (await get('/kernel/admin/mode')) as ModeState;
    expect(actor.id).toBe('kernel');
    expect(reason).toContain(`The database ends at 0:${backedUp}, but signed events build on 0:${lost - 1}`);
    expect(reason).toContain('./kernel replay --from archive --to store');
    expect(reason).toContain(`./kernel keys restore-window --shard 0 --seq ${backedUp}`);
    expect(await write(0)).toMatchObject({ status: 503, json: { error: 'safe_mode' } });
    expect((await stack().client('AUDITOR').get('/kernel/audit/head')).status).toBe(200);
  });

  it('cannot be written to by switching the mode alone: the proxy signs nothing', async () => {
    expect((await setMode('normal')).status).toBe(200);
    const refused = await write(0);
    expect(refused.status).toBe(503);
    expect(['store_behind', 'safe_mode']).toContain((refused.json as { error: string }).error);
    await until('safe-mode again', async () => (await status()).mode === 'safe-mode');
    expect(await head()).toBe(backedUp);
    // Its line arrives a moment later, over a pipe.
    await until('the proxy has logged its refusal', async () =>
      (await stack().log('signing-proxy')).includes('"reason":"below_high_water_mark"'),
    );
  });

  it('goes on after an operator has opened a window, as one chain', async () => {
    const request = { shard: 0, seq: backedUp, seconds: 60, reason: 'a drill: the archive is lost as well' };
    expect(await openRequest(stack(), 'OPERATOR', request)).toMatchObject({ status: 403 });
    expect(await openRequest(stack(), 'SUPERADMIN', request)).toMatchObject({ status: 201 });
    expect((await setMode('normal')).status).toBe(200);
    await until('a write is taken', async () => (await write(1)).status === 201);
    const { events } = await expectSoundChain(stack());
    // The chain itself records that the kernel stopped, and why.
    expect(events.filter(({ type }) => type === 'mode.changed').map(({ payload }) => payload['to'])).toEqual(
      expect.arrayContaining(['safe-mode', 'normal']),
    );
    expect(events[backedUp]).toMatchObject({ seq: backedUp + 1, type: 'mode.changed' });
  });
});
