import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { Client } from 'pg';
import { migrate } from '#platform/event-store';
import { createLogger, Gauge, Registry, startManagementServer } from '#platform/process';
import { guardFolder, releaseFolder } from '#dev/devstack';
import {
  describeWithKafka,
  describeWithOpenBao,
  describeWithS3,
  startTestKafka,
  startTestOpenBao,
  startTestPostgres,
  startTestS3,
  TestCa,
} from '#dev/testing';
import { writeBundle } from './bundle/bundle';
import { findingsOf } from './checks/all-checks';
import { DEFAULT_LIMITS } from './facts';
import { type Diagnosis, diagnose } from './finding';
import { gatherFacts } from './gather/gather';
import { type Places } from './places';

const ORIGIN = 'kernel.test/doctor-int';
const DAY_MS = 86_400_000;
const LONG = 60_000;

/** The servers beside the kernel are real, and so is what is done to them; whole processes are in test/operations. */
describeWithKafka('the doctor', () => {
  describeWithS3('at an S3 server', () => {
    describeWithOpenBao('and OpenBao', () => {
      let dir: string;
      let places: Places;
      let superuser: Client;
      const cleanup: (() => unknown)[] = [];
      const rows: string[] = [];
      const down = new Gauge({ name: 'kernel_upgrades_unratified', help: 'x', registers: [new Registry()] });
      let readyProblem: string | null = null;
      let kafka: Awaited<ReturnType<typeof startTestKafka>>;
      let bao: Awaited<ReturnType<typeof startTestOpenBao>>;
      let s3: Awaited<ReturnType<typeof startTestS3>>;
      let postgres: Awaited<ReturnType<typeof startTestPostgres>>;

      beforeAll(async () => {
        dir = await mkdtemp(join(tmpdir(), 'kernel-test-doctor-'));
        guardFolder(dir);
        cleanup.push(async () => {
          await rm(dir, { recursive: true, force: true });
          releaseFolder(dir);
        });
        [kafka, bao, s3, postgres] = await Promise.all([
          startTestKafka({ own: true, restart: false }),
          startTestOpenBao({ kids: ['k1'] }),
          startTestS3({ own: true }),
          startTestPostgres({ restart: false, settings: { max_connections: '30' } }),
        ]);
        cleanup.push(...[kafka, bao, s3, postgres].map((server) => () => server.stop()));
        const { ownerUrl, runtimeUrl, superuserUrl, runtimeRole, workerRole } = postgres;
        await migrate(ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole, workerRole });
        superuser = new Client({ connectionString: superuserUrl });
        superuser.on('error', () => undefined);
        await superuser.connect();
        const bucket = await s3.createBucket();
        const registry = new Registry();
        registry.registerMetric(down);
        const management = await startManagementServer({
          managementHost: '127.0.0.1',
          managementPort: 0,
          ...{ host: '127.0.0.1', port: 0, registry },
          logger: createLogger({ app: 'kernel', level: 'silent' }),
          checks: {
            postgres: async () => {
              if (readyProblem !== null) throw new Error(readyProblem);
              await Promise.resolve();
            },
          },
        } as Parameters<typeof startManagementServer>[0]);
        cleanup.push(() => management.close());
        await mkdir(join(dir, 'identities'));
        await mkdir(join(dir, 'logs'));
        await mkdir(join(dir, 'signing-keys'));
        await writeFile(join(dir, 'row.key'), `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
        await writeFile(join(dir, 'signing-keys', 'k1.key'), await keyPem(), { mode: 0o600 });
        await writeFile(join(dir, 'logs', 'kernel.log'), '');
        await issue(60);
        places = {
          kind: 'deployment',
          title: 'test',
          endpoints: [{ name: 'kernel', url: `http://127.0.0.1:${management.port}` }],
          ports: [],
          databaseUrl: runtimeUrl,
          owner: { url: ownerUrl, origin: ORIGIN, shards: 1 },
          brokers: kafka.brokers,
          archive: {
            name: `bucket ${bucket.name}`,
            variables: {
              KERNEL_ARCHIVE: 's3',
              ...{ S3_ENDPOINT: s3.endpoint, S3_REGION: s3.region, S3_BUCKET: bucket.name },
              ...{
                S3_ACCESS_KEY_ID: bucket.owner.accessKeyId,
                S3_SECRET_ACCESS_KEY: bucket.owner.secretAccessKey,
              },
            },
          },
          openBao: { url: bao.server.address, caFile: bao.server.caFile },
          disks: [dir],
          certificateFolder: join(dir, 'identities'),
          certificateFiles: [],
          privateFolder: dir,
          logs: [{ name: 'kernel', file: join(dir, 'logs', 'kernel.log') }],
          environmentFiles: [],
        };
      }, 180_000);
      afterAll(async () => {
        process.stdout.write(`\n${rows.length} damages (damage, code, where)\n${rows.join('\n')}\n`);
        await superuser?.end().catch(() => undefined);
        for (const end of cleanup.reverse()) await end();
      }, LONG);

      async function keyPem(): Promise<string> {
        const ca = await TestCa.create('a key');
        return await ca.key();
      }

      async function issue(days: number, from = -2): Promise<void> {
        const ca = await TestCa.create('the doctor');
        const now = Date.now();
        const made = await ca.issue({
          subject: [{ CN: ['kernel'] }],
          notBefore: new Date(now + from * DAY_MS),
          notAfter: new Date(now + days * DAY_MS),
        });
        await writeFile(join(dir, 'identities', 'kernel.pem'), made.cert);
        await writeFile(join(dir, 'identities', 'kernel.key'), made.key, { mode: 0o600 });
      }

      const look = async (change: Partial<Places> = {}) =>
        gatherFacts({ ...places, ...change }, DEFAULT_LIMITS);
      const examine = async (change: Partial<Places> = {}) => diagnose(findingsOf(await look(change)));

      async function tried(
        damage: string,
        code: string,
        where: string,
        make: () => unknown,
        undo: () => unknown,
        change: Partial<Places> = {},
      ): Promise<Diagnosis[]> {
        let found: Diagnosis[];
        try {
          await make();
          found = await examine(change);
        } finally {
          await undo();
        }
        expect([damage, found.map((one) => one.code)]).toEqual([damage, [code]]);
        expect(found[0]?.where).toContain(where);
        rows.push([damage.padEnd(40), code.padEnd(32), found[0]?.where].join('  '));
        expect([damage, await examine()]).toEqual([damage, []]);
        return found;
      }

      it(
        'finds nothing where all is well',
        async () => {
          expect(await examine()).toEqual([]);
        },
        LONG,
      );

      const sql = (text: string) => () => superuser.query(text);

      it.each([
        [
          'the schema is older',
          'schema_older',
          `DELETE FROM kernel.migrations WHERE name LIKE 'EventTraces%'`,
          `INSERT INTO kernel.migrations (timestamp, name) VALUES (1764970000000, 'EventTraces1764970000000')`,
        ],
        [
          'the schema is newer',
          'schema_newer',
          `INSERT INTO kernel.migrations (timestamp, name) VALUES (1999999999999, 'Later1999999999999')`,
          `DELETE FROM kernel.migrations WHERE name LIKE 'Later%'`,
        ],
        [
          'a right is missing',
          'rights_wrong',
          'REVOKE SELECT ON kernel.legal_holds FROM kernel_worker',
          'GRANT SELECT ON kernel.legal_holds TO kernel_worker',
        ],
        [
          'a guard is off',
          'schema_wrong',
          'ALTER TABLE kernel.events DISABLE TRIGGER events_refuse_change',
          'ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER events_refuse_change',
        ],
        [
          'the kernel is read-only',
          'mode_not_normal',
          `UPDATE kernel.mode SET mode = 'read-only'`,
          `UPDATE kernel.mode SET mode = 'normal'`,
        ],
        [
          'the store is being rebuilt',
          'mode_restoring',
          `UPDATE kernel.mode SET mode = 'safe-mode', restoring = true`,
          `UPDATE kernel.mode SET mode = 'normal', restoring = false`,
        ],
        [
          'the newest audit has findings',
          'audit_findings',
          `INSERT INTO kernel.audit_runs (id, started_at, outcome, events, findings) VALUES (gen_random_uuid(), now(), 'findings', 9, 2)`,
          'DELETE FROM kernel.audit_runs',
        ],
        [
          'the newest audit is old',
          'audit_old',
          `INSERT INTO kernel.audit_runs (id, started_at, outcome, events, findings) VALUES (gen_random_uuid(), now() - interval '3 days', 'clean', 9, 0)`,
          'DELETE FROM kernel.audit_runs',
        ],
      ])(
        '%s',
        async (damage, code, make, undo) => {
          await tried(damage, code, '', sql(make), sql(undo));
        },
        LONG,
      );

      it(
        'connections that run out',
        async () => {
          const clients: Client[] = [];
          await tried(
            'connections run out',
            'postgres_connections_nearly_out',
            'database',
            async () => {
              for (let n = 0; n < 24; n += 1) {
                const client = new Client({ connectionString: postgres.superuserUrl });
                client.on('error', () => undefined);
                await client.connect();
                clients.push(client);
              }
            },
            async () => {
              await Promise.all(clients.map((client) => client.end()));
              // A backend is in the list until it has ended.
              for (;;) {
                const { rows: left } = await superuser.query<{ n: number }>(
                  `SELECT sum(numbackends)::int AS n FROM pg_stat_database`,
                );
                if ((left[0]?.n ?? 0) < 10) break;
              }
            },
          );
        },
        LONG,
      );

      it(
        'servers that hang, are sealed or do not run',
        async () => {
          const broker = kafka.brokers[0] ?? '';
          await tried(
            'Kafka hangs',
            'kafka_away',
            broker,
            () => kafka.server?.freeze(),
            () => kafka.server?.thaw(),
          );
          await tried(
            'OpenBao is sealed',
            'openbao_sealed',
            bao.server.address,
            () => bao.server.seal(),
            () => bao.server.unseal(),
          );
          const signal = (pid: number | undefined, name: NodeJS.Signals) => process.kill(pid ?? 0, name);
          const baoPid = bao.server.pid;
          await tried(
            'OpenBao hangs',
            'openbao_away',
            'OpenBao',
            () => signal(baoPid, 'SIGSTOP'),
            () => signal(baoPid, 'SIGCONT'),
          );
          const s3Pid = s3.server?.pid;
          await tried(
            'S3 hangs',
            'archive_away',
            'bucket',
            () => signal(s3Pid, 'SIGSTOP'),
            () => signal(s3Pid, 'SIGCONT'),
          );
        },
        2 * LONG,
      );

      it(
        'PostgreSQL that does not run, with what follows from it, once',
        async () => {
          const found = await tried(
            'PostgreSQL is stopped',
            'postgres_away',
            'PostgreSQL',
            async () => {
              readyProblem = 'connect ECONNREFUSED';
              await postgres.kill();
            },
            async () => {
              await postgres.start();
              readyProblem = null;
              superuser = new Client({ connectionString: postgres.superuserUrl });
              superuser.on('error', () => undefined);
              await superuser.connect();
            },
          );
          expect(found[0]?.effects.map(({ code }) => code)).toEqual(['not_ready']);
        },
        LONG,
      );

      it(
        'processes that do not answer, are not ready or say something',
        async () => {
          const server = createServer((socket) => socket.on('error', () => undefined));
          server.listen(0, '127.0.0.1');
          await once(server, 'listening');
          const { port } = server.address() as { port: number };
          const silent = [...places.endpoints, { name: 'indexer', url: `http://127.0.0.1:${port}` }];
          const none = () => undefined;
          await tried('a process hangs', 'process_silent', String(port), none, none, { endpoints: silent });
          server.close();
          const taken = [{ port: kafka.server?.port ?? 0, purpose: 'indexer', running: false }];
          await tried('a port is taken', 'port_taken', String(taken[0]?.port), none, none, {
            kind: 'state folder',
            ports: taken,
            run: undefined as never,
          });
          await tried(
            'a process is not ready',
            'not_ready',
            '/ready',
            () => (readyProblem = 'the pool is gone'),
            () => (readyProblem = null),
          );
          await tried(
            'an emergency is not ratified',
            'upgrades_unratified',
            'governance',
            () => down.set(1),
            () => down.set(0),
          );
        },
        LONG,
      );

      it(
        'certificates, secrets and logs',
        async () => {
          const file = join(dir, 'identities', 'kernel.pem');
          const undo = () => issue(60);
          await tried('a certificate ends soon', 'certificate_near_end', file, () => issue(5), undo);
          await tried('a certificate has ended', 'certificate_ended', file, () => issue(-1), undo);
          await tried(
            'a certificate is not valid yet',
            'certificate_not_yet',
            file,
            () => issue(60, 1),
            undo,
          );
          await tried(
            'a certificate is none',
            'certificate_unusable',
            file,
            () => writeFile(file, 'nothing'),
            undo,
          );
          await tried(
            'a key does not belong to its certificate',
            'certificate_unusable',
            file,
            async () => writeFile(file.replace('.pem', '.key'), await keyPem()),
            undo,
          );
          const key = join(dir, 'row.key');
          await tried(
            'others may read a secret',
            'secret_file_open',
            key,
            () => chmod(key, 0o640),
            () => chmod(key, 0o600),
          );
          const log = join(dir, 'logs', 'kernel.log');
          const entry = JSON.stringify({ level: 'error', time: new Date().toISOString(), msg: 'it broke' });
          await tried(
            'a process logs errors',
            'errors_in_log',
            log,
            () => appendFile(log, `${entry}\n`),
            () => writeFile(log, ''),
          );
        },
        LONG,
      );

      const mount = spawnSync('unshare', ['--mount', 'true'], { stdio: 'ignore' }).status === 0;
      it(
        `tells a folder that is not there from one that is full${mount ? '' : ' (a full one is in test/operations)'}`,
        async () => {
          const found = await examine({ disks: [join(dir, 'nowhere')] });
          expect(found.map(({ code, severity, where }) => [code, severity, where])).toEqual([
            ['could_not_be_looked_at', 'unknown', 'disks'],
          ]);
        },
        LONG,
      );

      it(
        'writes a bundle in which nothing secret is left',
        async () => {
          const secrets = [
            (await readFile(join(dir, 'row.key'), 'utf8')).trim(),
            ...(await readFile(join(dir, 'signing-keys', 'k1.key'), 'utf8'))
              .split('\n')
              .filter((line) => line.length > 40 && !line.startsWith('-')),
            new URL(postgres.runtimeUrl).password,
            new URL(postgres.ownerUrl).password,
            places.archive?.variables?.['S3_SECRET_ACCESS_KEY'] ?? '',
          ];
          expect(secrets.every((secret) => secret.length >= 8)).toBe(true);
          const log = join(dir, 'logs', 'kernel.log');
          const planted = [
            ...secrets,
            await keyPem(),
            'postgres://u:planted-password@h/d',
            'Authorization: Bearer planted-bearer',
          ];
          for (const msg of planted) {
            await appendFile(
              log,
              `${JSON.stringify({ level: 'error', time: new Date().toISOString(), msg })}\n${msg}\n`,
            );
          }
          await superuser.query(`UPDATE kernel.mode SET mode = 'read-only', reason = $1`, [
            `because of ${secrets[2]}`,
          ]);
          const facts = await look();
          const file = join(dir, 'bundle.tar.gz');
          const report = diagnose(findingsOf(facts));
          expect(JSON.stringify(report)).toContain(secrets[2]);
          const written = await writeBundle(file, { places, facts, report });
          await superuser.query(`UPDATE kernel.mode SET mode = 'normal', reason = ''`);
          await writeFile(log, '');
          await mkdir(join(dir, 'out'));
          expect(spawnSync('tar', ['-xzf', file, '-C', join(dir, 'out')]).status).toBe(0);
          const entries = await readdir(join(dir, 'out'), { recursive: true, withFileTypes: true });
          const files = entries.filter((entry) => entry.isFile());
          expect(files).toHaveLength(written.files);
          let whole = '';
          for (const { parentPath, name } of files) {
            const text = await readFile(join(parentPath, name), 'utf8');
            whole += text;
            for (const secret of [...secrets, 'planted-password', 'planted-bearer', 'PRIVATE KEY']) {
              expect([name, secret, text.includes(secret)]).toEqual([name, secret, false]);
            }
          }
          expect(whole).toContain('because of [removed]');
          expect(whole).toContain('kernel_upgrades_unratified');
          expect(whole).toContain('EventTraces1764970000000');
          await rm(join(dir, 'out'), { recursive: true });
          await expect(writeBundle(file, { places, facts, report })).rejects.toMatchObject({
            message: expect.stringContaining('is there already'),
          });
        },
        LONG,
      );
    });
  });
});
