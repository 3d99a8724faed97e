import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withOwnPostgres } from '#dev/testing';
import { run } from '../fixtures/store.fixture';
import { createRoles, type RolesToMake } from './create-roles';

describe('the roles of a kernel', () => {
  const postgres = withOwnPostgres({ settings: { log_statement: 'all' } });
  const password = () => randomBytes(18).toString('base64url');
  const admin = () => postgres().urlFor('superuser', 'postgres');
  let n = 0;

  function roles(): RolesToMake {
    n += 1;
    return {
      database: `kernel made ${n}`,
      owner: { name: `owner-${n}`, password: password() },
      runtime: { name: `runtime-${n}`, password: password() },
      worker: { name: `worker-${n}`, password: password() },
    };
  }
  const urlOf = ({ database }: RolesToMake, { name, password: secret }: RolesToMake['owner']) =>
    `postgres://${encodeURIComponent(name)}:${secret}@${postgres().host}:${postgres().port}/${encodeURIComponent(database)}`;
  const asks = (wanted: RolesToMake, role: RolesToMake['owner']) =>
    run(urlOf(wanted, role), 'SELECT current_user AS me, current_database() AS here');

  it('are made with their database, log in by their passwords, and only the owner may make a schema', async () => {
    const wanted = roles();
    const { database, owner, runtime, worker } = wanted;
    expect(await createRoles(admin(), wanted)).toEqual([
      ...[owner, runtime, worker].flatMap(({ name }) => [
        `made the role ${name}`,
        `set the password of ${name}`,
      ]),
      `made the database ${database}`,
    ]);
    for (const role of [owner, runtime, worker]) {
      expect(await asks(wanted, role)).toEqual([{ me: role.name, here: database }]);
      await expect(asks(wanted, { ...role, password: 'another' })).rejects.toMatchObject({ code: '28P01' });
    }
    await run(urlOf(wanted, owner), 'CREATE SCHEMA kernel');
    await expect(run(urlOf(wanted, runtime), 'CREATE SCHEMA other')).rejects.toMatchObject({ code: '42501' });
    // Roles of another kernel on the same server.
    const others = roles();
    await createRoles(admin(), others);
    await expect(asks({ ...wanted }, others.runtime)).rejects.toMatchObject({ code: '42501' });
  });

  it('are made once by two at once, and left as they are afterwards', async () => {
    const wanted = roles();
    const made = await Promise.all([createRoles(admin(), wanted), createRoles(admin(), wanted)]);
    expect(made.flat().filter((line) => line.startsWith('made the'))).toHaveLength(4);
    const silent = { ...wanted };
    for (const role of ['owner', 'runtime', 'worker'] as const)
      silent[role] = { ...wanted[role], password: null };
    expect(await createRoles(admin(), silent)).toEqual([]);
    expect(await asks(wanted, wanted.runtime)).toHaveLength(1);
  });

  it('get another password, which no log of the server has', async () => {
    const wanted = roles();
    await createRoles(admin(), wanted);
    const renewed = { ...wanted, runtime: { ...wanted.runtime, password: password() } };
    await createRoles(admin(), renewed);
    await expect(asks(wanted, wanted.runtime)).rejects.toMatchObject({ code: '28P01' });
    expect(await asks(renewed, renewed.runtime)).toHaveLength(1);
    const log = await readFile(join(postgres().dir, 'postgres.log'), 'utf8');
    expect(log).toContain(`ALTER ROLE "${wanted.runtime.name}" PASSWORD 'SCRAM-SHA-256$4096:`);
    for (const { password: secret } of [wanted.owner, wanted.runtime, renewed.runtime]) {
      expect(log).not.toContain(secret);
    }
  });

  it('are not made of a role that may do more, or of one role twice', async () => {
    const wanted = roles();
    await run(admin(), `CREATE ROLE "${wanted.worker.name}" LOGIN CREATEROLE`);
    await expect(createRoles(admin(), wanted)).rejects.toThrow(/has CREATEROLE, which .* must not have/);
    const twice = roles();
    await expect(createRoles(admin(), { ...twice, worker: twice.runtime })).rejects.toThrow(
      /need a role each/,
    );
    await expect(
      createRoles(admin(), { ...twice, worker: { name: 'x', password: 'pass word' } }),
    ).rejects.toThrow(/printable ASCII/);
  });

  it('do not take over the database of another, and may make their schemas in it', async () => {
    const wanted = roles();
    await run(admin(), `CREATE DATABASE "${wanted.database}"`);
    expect(await createRoles(admin(), wanted)).toContainEqual(
      expect.stringMatching(/make schemas in .* belongs to/),
    );
    await run(urlOf(wanted, wanted.owner), 'CREATE SCHEMA kernel');
    await expect(run(urlOf(wanted, wanted.worker), 'CREATE SCHEMA other')).rejects.toMatchObject({
      code: '42501',
    });
  });
});
