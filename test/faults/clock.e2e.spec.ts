import { Client } from 'pg';
import { withStack } from '#dev/testing';
import { ContractClient } from '../contract/contract.client';
import { until } from './until';

const HOURS_BEHIND = 2;

/**
 * Sets the database server's clock back, as far as the kernel can see: a function of the same name that its connections
 * find first. To the kernel that is a clock of its own that is ahead.
 */
const OWN_CLOCK = (database: string, role: string) => `
  CREATE SCHEMA elsewhere;
  CREATE TABLE elsewhere.shift (by interval NOT NULL);
  INSERT INTO elsewhere.shift VALUES ('${HOURS_BEHIND} hours');
  CREATE FUNCTION elsewhere.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.clock_timestamp() - by FROM elsewhere.shift';
  GRANT USAGE ON SCHEMA elsewhere TO PUBLIC;
  GRANT SELECT ON elsewhere.shift TO PUBLIC;
  ALTER ROLE ${role} IN DATABASE ${database} SET search_path = elsewhere, pg_catalog`;

describe('a kernel whose clock is ahead of its database', () => {
  // What the database's clock says anew is believed after as long as it may be ahead.
  const stack = withStack({ kernelVariables: { KERNEL_MAX_CLOCK_JUMP_SECONDS: '3' } });
  let superuser: Client;
  beforeAll(async () => {
    superuser = new Client({ connectionString: stack().postgres.superuserUrl });
    // The stack is taken away first.
    superuser.on('error', () => undefined);
    await superuser.connect();
  });
  afterAll(() => superuser.end());

  const client = () => new ContractClient(stack().client('OPERATOR'));
  const write = () => client().post('/kernel/sign', { manifest: { id: 'of-the-clock' } });
  const ready = () => stack().management('/ready');
  const heads = async () => (await client().get('/kernel/audit/head')).text;

  it('refuses writes with a clear cause, writes none of it, and goes on by itself when they agree', async () => {
    expect((await write()).status).toBe(200);
    const { pathname, username } = new URL(stack().postgres.runtimeUrl);
    const database = pathname.slice(1);
    await superuser.query(OWN_CLOCK(database, username));
    // The setting holds for new connections.
    await superuser.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = $2',
      [database, username],
    );
    await until(
      'it is not ready',
      async () => (await ready()).status === 503 && (await write()).status === 503,
    );
    const before = await heads();
    const refused = await write();
    expect(refused.status).toBe(503);
    expect(refused.json).toMatchObject({ error: 'clock_jumped', title: 'The clock jumped' });
    // The line is written by another process, and may come after the answer.
    await until('it is logged', async () =>
      /clock of this process is 7[12]\d\d s ahead/.test(await stack().log('kernel')),
    );
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const { error } = JSON.parse((await ready()).text) as { error: Record<string, { message: string }> };
    expect(error).toMatchObject({ clock: { message: expect.stringContaining('Set it right') as string } });
    expect((await stack().management('/metrics')).text).toMatch(/^audit_clock_ahead_seconds 7[12]\d\d/m);
    expect((await client().get('/kernel/audit?limit=1')).status).toBe(200);
    expect(await heads()).toBe(before);

    await superuser.query(`UPDATE elsewhere.shift SET by = '0 hours'`);
    await until('it is ready', async () => (await ready()).status === 200);
    expect((await write()).status).toBe(200);
  }, 90_000);
});
