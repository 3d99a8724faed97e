import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoundedLog, compileCache, startChild } from '#dev/devstack';
import { describeWithSoftHsm, withStack, workTree } from '#dev/testing';
import { expectSoundChain } from '../faults/chain';
import { until } from '../faults/until';

const DATABASE = 'made_by_migrate';
const OWNER = { name: 'made_owner', password: randomBytes(18).toString('base64url') };
const RUNTIME = { name: 'made_runtime', password: randomBytes(18).toString('base64url') };
const WORKER = { name: 'made_worker', password: randomBytes(18).toString('base64url') };
/** Role bindings and the rest are the stack's; the database is the one that `migrate` makes. */
const KERNEL = 0;
const LATE = 1;

// With a token, since a production kernel takes no key from a file.
describeWithSoftHsm('a database that migrate alone has made', () => {
  const urlOf = (like: string, { name, password }: typeof OWNER, database = DATABASE) => {
    const url = new URL(like);
    url.username = name;
    url.password = password;
    url.pathname = `/${database}`;
    return url.href;
  };
  const stack = withStack({
    kernels: 2,
    signer: 'pkcs11',
    idle: ['kernel'],
    kernelVariables: ({ databaseUrl }) => ({
      NODE_ENV: 'production',
      KERNEL_ALLOW_SOFTHSM: 'true',
      DATABASE_URL: urlOf(databaseUrl, RUNTIME),
      KERNEL_ARCHIVE: '',
      KERNEL_ARCHIVE_DIR: '',
      KERNEL_WEBAUTHN_RP_ID: 'kernel.test',
      KERNEL_WEBAUTHN_ORIGINS: 'https://kernel.test',
    }),
  });

  let runs = 0;
  /** Runs the program as the image does. @returns its exit code, and what it said */
  async function migrate(
    args: readonly string[] = [],
    more: Readonly<Record<string, string>> = {},
  ): Promise<{ code: number | null; said: string }> {
    const { postgres, origin } = stack();
    runs += 1;
    const log = new BoundedLog(join(stack().dir, `migrate-${runs}.log`));
    const child = await startChild({
      command: process.execPath,
      args: [join(workTree(), 'dist/apps/migrate/main.js'), ...args],
      env: {
        NODE_ENV: 'production',
        KERNEL_ORIGIN: origin,
        DATABASE_OWNER_URL: urlOf(postgres.ownerUrl, OWNER),
        KERNEL_RUNTIME_ROLE: RUNTIME.name,
        KERNEL_WORKER_ROLE: WORKER.name,
        ...more,
        ...compileCache(),
      },
      cwd: stack().dir,
      log,
    });
    const { code } = await child.exited;
    log.close();
    const said = await readFile(log.file, 'utf8');
    // Whatever happens, it tells nobody a password.
    for (const { password } of [OWNER, RUNTIME, WORKER]) expect(said).not.toContain(password);
    return { code, said };
  }
  const admin = () => ({
    DATABASE_ADMIN_URL: stack().postgres.superuserUrl,
    DATABASE_RUNTIME_PASSWORD: RUNTIME.password,
    DATABASE_WORKER_PASSWORD: WORKER.password,
  });

  it('is said not to be there, with one sentence', async () => {
    const { code, said } = await migrate();
    expect({ code, said }).toEqual({ code: 2, said: expect.stringMatching(/^migrate: PostgreSQL .*\n$/) });
  });

  it('is refused with options and settings that do not go together', async () => {
    expect(await migrate(['--check', '--create-roles'], admin())).toMatchObject({
      code: 2,
      said: expect.stringContaining('give one of them'),
    });
    expect(await migrate(['--create-roles'])).toMatchObject({
      code: 2,
      said: expect.stringContaining('needs DATABASE_ADMIN_URL'),
    });
    expect(await migrate(['--chekc'])).toMatchObject({
      code: 2,
      said: expect.stringContaining('It takes --check or --create-roles, and --json'),
    });
    expect(await migrate([], { KERNEL_SHARD: '2' })).toMatchObject({
      code: 2,
      said: expect.stringContaining('KERNEL_SHARD'),
    });
  });

  it('gets roles, schema and rights from twice at once, and no kernel starts before', async () => {
    const early = stack().kernels[KERNEL]?.process.start();
    await expect(early).rejects.toThrow(/kernel: PostgreSQL|kernel: .*lacks the migration/);
    const both = await Promise.all([
      migrate(['--create-roles'], admin()),
      migrate(['--create-roles'], admin()),
    ]);
    expect(both).toEqual([
      { code: 0, said: expect.stringContaining(`kernels may start as ${RUNTIME.name}`) },
      { code: 0, said: expect.stringContaining(`workers as ${WORKER.name}`) },
    ]);
    expect(
      both
        .map(({ said }) => said)
        .join('')
        .match(/made the database/g),
    ).toHaveLength(1);
    expect(await migrate(['--check'])).toMatchObject({ code: 0 });
  });

  it('is what a production kernel starts on, and records in', async () => {
    await stack().kernels[KERNEL]?.process.start();
    await until(
      'the kernel is ready',
      async () => (await stack().management('/ready', KERNEL)).status === 200,
    );
    const answer = await stack()
      .client('OPERATOR')
      .post('/kernel/audit', { type: 'made.told', payload: { by: 'migrate' } });
    expect(answer.status).toBe(201);
    expect((await expectSoundChain(stack())).events.map(({ type }) => type)).toContain('made.told');
  });

  it('is checked and migrated again under a running kernel, and is not another kernel’s', async () => {
    expect(await migrate(['--check'])).toMatchObject({ code: 0 });
    expect(JSON.parse((await migrate(['--json'])).said)).toEqual({
      origin: stack().origin,
      asNeeded: true,
      lines: [expect.stringContaining('is as this version needs it')],
    });
    const other = { KERNEL_ORIGIN: 'kernel.test/other' };
    expect(await migrate(['--check'], other)).toMatchObject({
      code: 1,
      said: expect.stringContaining('holds the chain of'),
    });
    expect(await migrate([], other)).toMatchObject({
      code: 2,
      said: expect.stringContaining('holds the chain of'),
    });
    await stack().kernels[LATE]?.process.start();
    await until('another is ready', async () => (await stack().management('/ready', LATE)).status === 200);
  });
});
