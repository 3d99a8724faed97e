import { createHash } from 'node:crypto';
import { Client } from 'pg';
import { type AuditEvent } from '#evidence';
import { describeWithSoftHsm, type HttpAnswer, withStack } from '#dev/testing';
import { type SignAnswer } from '#openapi/kernel';
import { expectSoundChain, faultsOf } from './chain';
import { until } from './until';

/*
 * The kernel that this one replaces was run and measured. Its faults, and the tests that would find them here:
 *
 * - a deadlock from ten clients on, each holding one pooled connection and waiting for a second: overload
 * - nine concurrent writers forked its chain: concurrent-writers, crash-under-load
 * - its verifier hashed differently from its writer and never passed: every file here verifies the kernel's own
 *   export with libs/evidence and with tools/audit-verify.js (chain.ts); docs/spec/vectors holds both to the same bytes
 * - the signature covered a timestamp that was not stored: below
 * - an x-roles header made anyone SuperAdmin, in production too: below; test/contract for every route and role
 * - manifest.signed held no digest: below
 * - a replayed idempotent answer was "[object Object]": idempotency
 * - a missing migration was logged as "continuing", and /ready stayed green: below
 * - the signatures of approvals were never checked: test/governance
 */

/** Each kernel process of this stack is one attempt to run it. */
const SOUND = 0;
const UNMIGRATED = 1;
const OTHER_ORIGIN = 2;
const POWERFUL = 3;

// With a token, since a production kernel takes no key from a file.
describeWithSoftHsm('what was wrong with the predecessor', () => {
  const stack = withStack({
    kernels: 4,
    signer: 'pkcs11',
    idle: ['kernel'],
    kernelVariables: ({ databaseUrl }, kernel) => ({
      NODE_ENV: 'production',
      KERNEL_ALLOW_SOFTHSM: 'true',
      // The folder of the development log is refused in production; without an archive there are no receipts.
      KERNEL_ARCHIVE: '',
      KERNEL_ARCHIVE_DIR: '',
      KERNEL_WEBAUTHN_RP_ID: 'kernel.test',
      KERNEL_WEBAUTHN_ORIGINS: 'https://kernel.test',
      ...(kernel === UNMIGRATED && { DATABASE_URL: inDatabase(databaseUrl, 'unmigrated') }),
      ...(kernel === OTHER_ORIGIN && { KERNEL_ORIGIN: 'kernel.test/other' }),
    }),
  });
  beforeAll(async () => {
    await start(SOUND);
    await until('the kernel is ready', async () => (await ready()).status === 200);
  });

  describe('the signature covers what is stored', () => {
    it('of an event: the time included, as everything else', async () => {
      const posted = await post('OPERATOR', '/kernel/audit', { type: 'time.told', payload: { hour: 10 } });
      expect(posted.status).toBe(201);
      const chain = await expectSoundChain(stack());
      const tampered = (change: (event: AuditEvent) => Partial<AuditEvent>): string[] =>
        faultsOf(stack(), {
          ...chain,
          lines: chain.lines.map((line) => {
            const event = JSON.parse(line) as AuditEvent;
            return event.type === 'time.told' ? JSON.stringify({ ...event, ...change(event) }) : line;
          }),
        }).map((fault) => fault.split(' ', 1)[0] as string);
      expect(tampered(() => ({}))).toEqual([]);
      const later = (ts: string): string => new Date(Date.parse(ts) + 1).toISOString();
      expect(tampered(({ ts }) => ({ ts: later(ts) }))).toEqual(['hash']);
      expect(tampered(() => ({ payload: { hour: 11 } }))).toEqual(['hash']);
      expect(tampered(({ actor }) => ({ actor: { ...actor, id: 'somebody-else' } }))).toEqual(['hash']);
      // With a hash that fits the changed time, the signature does not.
      const resealed = tampered((event) => {
        const { group: _, hash: __, signature: ___, ...unhashed } = { ...event, ts: later(event.ts) };
        return { ...unhashed, hash: createHash('sha256').update(JSON.stringify(unhashed)).digest('hex') };
      });
      expect(resealed).toEqual(['signature']);
    });

    it('of a manifest: its digest and the time of signing, which the record alone proves', async () => {
      const manifest = { version: 2, id: 'digest', kind: 'test', ratio: 1e-7 };
      const signed = await post('OPERATOR', '/kernel/sign', { manifest });
      const { audit_id: id, signature_record: record } = signed.json as SignAnswer;
      // RFC 8785 by hand.
      const canonical = '{"id":"digest","kind":"test","ratio":1e-7,"version":2}';
      const sha256 = createHash('sha256').update(canonical).digest('hex');
      expect(record.manifest_sha256).toBe(sha256);
      const event = (await stack().client('AUDITOR').get(`/kernel/audit/${id}`)).json as AuditEvent;
      expect(event.type).toBe('manifest.signed');
      expect(event.payload).toMatchObject({ manifestId: 'digest', version: '2', kind: 'test', sha256 });
      expect(event.payload['envelope']).toEqual(record.envelope);
      const statement = JSON.parse(Buffer.from(record.envelope.payload, 'base64').toString()) as {
        subject: unknown;
        predicate: { signedAt: string };
      };
      expect(statement.subject).toEqual([{ name: 'digest', digest: { sha256 } }]);
      expect(statement.predicate.signedAt).toBe(record.ts);

      const verify = async (envelope: object): Promise<unknown> =>
        (await post('AUDITOR', '/kernel/verify', { manifest, envelope })).json as unknown;
      expect(await verify(record.envelope)).toEqual({ valid: true, reasons: [] });
      statement.predicate.signedAt = new Date(Date.parse(record.ts) + 1).toISOString();
      const payload = Buffer.from(JSON.stringify(statement)).toString('base64');
      expect(await verify({ ...record.envelope, payload })).toMatchObject({ valid: false });
    });
  });

  it.each([
    'x-roles',
    'x-role',
    'x-user-roles',
    'x-user-id',
    'x-forwarded-client-cert',
    'x-ssl-client-s-dn',
    'x-client-cn',
    'authorization',
  ])('the header %s makes nobody anything, in production', async (header) => {
    const forged = {
      headers: { [header]: 'SuperAdmin, CN=dev-superadmin, spiffe://kernel.localhost/dev-superadmin' },
    };
    const manifest = { manifest: { id: 'forged' } };
    for (const caller of ['NOROLE', 'AUDITOR'] as const) {
      const answer = await stack().client(caller).post('/kernel/sign', manifest, forged);
      expect([answer.status, answer.json]).toEqual([403, expect.objectContaining({ error: 'forbidden' })]);
    }
    expect((await stack().client('NOROLE').get('/kernel/audit', forged)).status).toBe(403);
    await expect(stack().client(null).post('/kernel/sign', manifest, forged)).rejects.toThrow();
    const { text } = await stack().client('AUDITOR').get('/kernel/audit/export');
    expect(text).not.toContain('manifest/forged');
  });

  describe('a kernel does not run', () => {
    it('on a database without its migrations', async () => {
      await asSuperuser('postgres', [
        'CREATE DATABASE unmigrated',
        `GRANT CONNECT ON DATABASE unmigrated TO ${stack().postgres.runtimeRole}`,
      ]);
      await expect(start(UNMIGRATED)).rejects.toThrow(/kernel: .*lacks the migration\(s\) EventLog/);
    });

    it('on the chain of another kernel', async () => {
      await expect(start(OTHER_ORIGIN)).rejects.toThrow(
        /kernel: .*holds the chain of kernel\.test\/stack .*not of kernel\.test\/other/,
      );
    });

    it('as a role that could change the event log', async () => {
      const { runtimeRole, ownerRole } = stack().postgres;
      await asSuperuser('kernel', [`GRANT ${ownerRole} TO ${runtimeRole}`]);
      try {
        await expect(start(POWERFUL)).rejects.toThrow(/kernel: .*could change what is in the event log/);
      } finally {
        await asSuperuser('kernel', [`REVOKE ${ownerRole} FROM ${runtimeRole}`]);
      }
    });

    it('without PostgreSQL', async () => {
      await stack().postgres.stop();
      try {
        await expect(start(POWERFUL)).rejects.toThrow(
          /kernel: PostgreSQL \(DATABASE_URL\) cannot be used: .*ECONNREFUSED/,
        );
      } finally {
        await stack().postgres.start();
      }
    });
  });

  describe('/ready turns red and says why', () => {
    it.each([
      {
        when: 'a migration is missing',
        damage: 'ALTER TABLE kernel.migrations RENAME TO migrations_elsewhere',
        repair: 'ALTER TABLE kernel.migrations_elsewhere RENAME TO migrations',
        says: 'lacks the migration(s) EventLog',
      },
      {
        when: 'a guard of the event log is switched off',
        damage: 'ALTER TABLE kernel.events DISABLE TRIGGER events_refuse_change',
        repair: 'ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER events_refuse_change',
        says: 'events_refuse_change',
      },
    ])('when $when', async ({ damage, repair, says }) => {
      await until('/ready is green', async () => (await ready()).status === 200);
      await asSuperuser('kernel', [damage]);
      try {
        await until('/ready is red', async () => (await ready()).status === 503);
        expect((await ready()).text).toContain(says);
        expect((await stack().management('/health', SOUND)).status).toBe(200);
      } finally {
        await asSuperuser('kernel', [repair]);
      }
      await until('/ready is green again', async () => (await ready()).status === 200);
    });
  });

  async function start(kernel: number): Promise<void> {
    await stack().kernels[kernel]?.process.start();
  }

  function ready(): Promise<{ status: number; text: string }> {
    return stack().management('/ready', SOUND);
  }

  function post(caller: 'OPERATOR' | 'AUDITOR', path: string, body: object): Promise<HttpAnswer> {
    return stack().client(caller).post(path, body);
  }

  async function asSuperuser(database: string, statements: readonly string[]): Promise<void> {
    const client = new Client({ connectionString: stack().postgres.urlFor('superuser', database) });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  }
});

function inDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
