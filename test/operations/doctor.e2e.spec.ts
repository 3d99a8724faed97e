import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer, type Server } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { freePort, portsFrom, readEnvironmentFile, signalProcess } from '#dev/devstack';
import {
  clockApart,
  describeWith,
  describeWithFaketime,
  describeWithOpenBao,
  describeWithS3,
  kafkaTestsMissing,
  nightly,
  ensureBuilt,
  MtlsClient,
  TestCa,
} from '#dev/testing';
import { finished, gone, Launcher, type Result, until } from '../launcher/launcher.driver';

interface Found {
  code: string;
  what: string;
  where: string;
}
interface Report {
  verdict: string;
  findings: (Found & { severity: string; action: string; effects: Found[] })[];
  notLookedAt: { part: string; why: string }[];
}
interface Examined extends Report {
  exit: number | null;
  /** Findings and effects. */
  all: Found[];
  /** Those that nothing explains. */
  roots: string[];
}

const DAY_MS = 86_400_000;
/** Some damages need a minute to show, and some to be gone. */
const DAMAGE_MS = 150_000;

describeWith(nightly(kafkaTestsMissing()), './kernel doctor', () => {
  describeWithS3('with S3', () => {
    describeWithOpenBao('and keys in OpenBao', () => {
      let launcher: Launcher;
      let variables: Record<string, string>;
      let owner: Client;
      let operator: MtlsClient;
      const results: { damage: string; code: string; where: string; exit: number | null; seconds: string }[] =
        [];

      beforeAll(async () => {
        launcher = await Launcher.create();
        await launcher.upReady('--stream', 'kafka', '--archive', 's3', '--signer', 'vault-transit');
        variables = await readEnvironmentFile(join(launcher.state, 'kernel.env'));
        owner = new Client({ connectionString: value('DATABASE_OWNER_URL') });
        // It is ended with the server at the end.
        owner.on('error', () => undefined);
        await owner.connect();
        operator = new MtlsClient(value('KERNEL_API_URL'), {
          ca: value('KERNEL_CA_CERT'),
          identity: { cert: value('KERNEL_OPERATOR_CERT'), key: value('KERNEL_OPERATOR_KEY') },
        });
      }, 300_000);
      afterAll(async () => {
        process.stdout.write(`${results.length} damages found by doctor\n`);
        await operator?.close();
        await owner?.end().catch(() => undefined);
        await launcher?.stop();
      }, 120_000);

      /** A row of the table, as soon as it is known. */
      function note(row: (typeof results)[number]): void {
        results.push(row);
        const { damage, code, exit, seconds, where } = row;
        const cells = [damage.padEnd(46), code.padEnd(22), String(exit), seconds.padStart(5), where];
        process.stdout.write(`${cells.join('  ')}\n`);
      }

      const value = (name: string): string => {
        const found = variables[name];
        if (found === undefined) throw new Error(`kernel.env has no ${name}`);
        return found;
      };
      const file = (...path: string[]) => join(launcher.state, ...path);
      const ports = () => portsFrom(launcher.portBase);

      function examined({ code, stdout, stderr }: Result): Examined {
        if (stdout === '') throw new Error(`the doctor said nothing: ${stderr}`);
        const report = JSON.parse(stdout) as Report;
        const all = report.findings.flatMap((finding) => [finding, ...finding.effects]);
        return { ...report, exit: code, all, roots: report.findings.map((finding) => finding.code) };
      }
      const examine = async (...args: string[]) => examined(await launcher.on('doctor', '--json', ...args));

      interface Damage {
        code: string;
        /** Part of what names the place. */
        where: () => string;
        make: () => unknown;
        undo: () => unknown;
        args?: () => string[];
        /** The finding that explains it; itself, when not said. */
        root?: string;
        look?: () => Promise<Examined>;
      }

      /** Makes the damage, waits until it is found, undoes it, and waits until it is gone. */
      async function tried(
        damage: string,
        { code, where, make, undo, args, root = code, look }: Damage,
      ): Promise<Examined> {
        const see = look ?? (() => examine(...(args?.() ?? [])));
        const isIt = (one: Found) => one.code === code && one.where.includes(where());
        let report: Examined | undefined;
        const started = performance.now();
        try {
          await make();
          await until(async () => (report = await see()).all.some(isIt));
        } finally {
          await undo();
        }
        if (report === undefined) throw new Error('nothing was examined');
        expect([damage, report.exit, report.verdict]).toEqual([damage, 1, 'wrong']);
        expect(report.roots).toContain(root);
        const seconds = ((performance.now() - started) / 1000).toFixed(1);
        const found = report.all.find(isIt);
        note({ damage, code, where: found?.where ?? '', exit: report.exit, seconds });
        await until(async () => !(await see()).all.some(isIt));
        return report;
      }

      const pause = (name: string) => signalProcess(launcher.processOf(name), 'SIGSTOP');
      const resume = (name: string) => signalProcess(launcher.processOf(name), 'SIGCONT');
      const write = () =>
        operator.post('/kernel/audit', { events: [{ type: 'thing.changed', payload: { n: 1 } }] });

      it(
        'finds nothing on a healthy stack, and has looked at all that it has',
        async () => {
          let report = await examine();
          await until(async () => report.exit === 0 || (report = await examine()).exit === 0);
          expect(report).toMatchObject({ exit: 0, verdict: 'healthy', findings: [] });
          expect(report.notLookedAt.map(({ part }) => part)).toEqual(['signers', 'backups']);
          const said = await launcher.on('doctor');
          expect(said).toMatchObject({
            code: 0,
            stdout: expect.stringContaining('Healthy, as far as it was looked at'),
          });
        },
        DAMAGE_MS,
      );

      describe('finds', () => {
        it(
          'PostgreSQL that hangs, once, with everything that follows',
          async () => {
            const family = () => {
              const { pid } = launcher.processOf('postgres');
              const children = readdirSync('/proc').filter((name) => {
                try {
                  return (
                    / (\d+) /.exec(
                      readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) \w/, ''),
                    )?.[1] === String(pid)
                  );
                } catch {
                  return false;
                }
              });
              return [pid, ...children.map(Number)];
            };
            const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
              for (const pid of family()) process.kill(pid, name);
            };
            const report = await tried('PostgreSQL hangs', {
              code: 'postgres_away',
              where: () => 'PostgreSQL',
              make: () => signal('SIGSTOP'),
              undo: () => signal('SIGCONT'),
            });
            const away = report.findings.find(({ code }) => code === 'postgres_away');
            expect(away?.effects.map(({ code }) => code)).toContain('not_ready');
            expect(report.findings.filter(({ code }) => code === 'not_ready')).toEqual([]);
          },
          DAMAGE_MS,
        );

        it(
          'a process that cannot start again, by the port that another has taken',
          async () => {
            let server: Server | undefined;
            const port = ports().identityProvider;
            const take = () =>
              new Promise<void>((done, fail) => {
                const made = createServer((socket) => socket.destroy());
                made.once('error', fail);
                made.listen(port, '127.0.0.1', () => {
                  server = made;
                  done();
                });
              });
            const make = async () => {
              signalProcess(launcher.processOf('identity-provider'), 'SIGKILL');
              await until(() =>
                take().then(
                  () => true,
                  () => false,
                ),
              );
            };
            const undo = () =>
              new Promise((done) => (server === undefined ? done(undefined) : server.close(done)));
            await tried('a port is taken', { code: 'port_taken', where: () => String(port), make, undo });
            await tried('a process is restarted in a loop', {
              code: 'process_restarting',
              where: () => 'identity-provider',
              root: 'port_taken',
              make,
              undo,
            });
          },
          DAMAGE_MS,
        );

        it.each([
          ['the Kafka broker hangs', 'kafka', 'kafka_away', () => `:${ports().kafka}`],
          ['the S3 server hangs', 's3', 'archive_away', () => value('S3_BUCKET')],
          ['OpenBao hangs', 'openbao', 'openbao_away', () => 'OpenBao'],
          [
            'the signing proxy hangs',
            'signing-proxy',
            'process_silent',
            () => `:${ports().signingProxyManagement}`,
          ],
        ])(
          '%s',
          async (damage, name, code, where) => {
            await tried(damage, { code, where, make: () => pause(name), undo: () => resume(name) });
          },
          DAMAGE_MS,
        );

        it.each([
          ['outbox-relay', 'relay_behind'],
          ['indexer', 'index_behind'],
          ['archiver', 'archive_behind'],
          ['log-publisher', 'log_behind'],
        ])(
          '%s that hangs, and how far it is behind',
          async (name, code) => {
            const report = await tried(`${name} hangs while events come`, {
              code,
              where: () => 'shard 0',
              root: 'process_silent',
              args: () => ['--behind-after', '1'],
              make: async () => {
                pause(name);
                expect((await write()).status).toBe(201);
              },
              undo: () => resume(name),
            });
            expect(report.all).toContainEqual(expect.objectContaining({ code: 'process_silent' }));
          },
          DAMAGE_MS,
        );

        it(
          'a sealed OpenBao',
          async () => {
            const kept = JSON.parse(await readFile(file('openbao', 'unseal.json'), 'utf8')) as Record<
              string,
              string
            >;
            await tried('OpenBao is sealed', {
              code: 'openbao_sealed',
              where: () => `:${ports().openBao}`,
              make: () => openBao('seal', {}, kept['rootToken'] ?? ''),
              undo: () => openBao('unseal', { key: kept['unsealKey'] }, kept['rootToken'] ?? ''),
            });
          },
          DAMAGE_MS,
        );

        async function openBao(what: string, body: object, token: string): Promise<void> {
          const ca = await readFile(file('identities', 'ca.pem'));
          const status = await new Promise((done, fail) => {
            const call = request(
              `https://127.0.0.1:${ports().openBao}/v1/sys/${what}`,
              { method: 'PUT', ca, headers: { 'x-vault-token': token, 'content-type': 'application/json' } },
              (answer) => answer.resume().on('end', () => done(answer.statusCode)),
            );
            call.on('error', fail);
            call.end(JSON.stringify(body));
          });
          expect([200, 204]).toContain(status);
        }

        it.each([
          [
            'the schema is older than the code',
            'schema_older',
            `DELETE FROM kernel.migrations WHERE name = 'EventTraces1764970000000'`,
            `INSERT INTO kernel.migrations (timestamp, name) VALUES (1764970000000, 'EventTraces1764970000000')`,
          ],
          [
            'the schema is newer than the code',
            'schema_newer',
            `INSERT INTO kernel.migrations (timestamp, name) VALUES (1999999999999, 'Later1999999999999')`,
            `DELETE FROM kernel.migrations WHERE name = 'Later1999999999999'`,
          ],
          [
            'a role lacks a right',
            'rights_wrong',
            'REVOKE SELECT ON kernel.legal_holds FROM kernel_worker',
            'GRANT SELECT ON kernel.legal_holds TO kernel_worker',
          ],
          [
            'a guard of the event log is off',
            'schema_wrong',
            'ALTER TABLE kernel.events DISABLE TRIGGER events_refuse_change',
            'ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER events_refuse_change',
          ],
        ])(
          '%s',
          async (damage, code, make, undo) => {
            await tried(damage, {
              code,
              where: () => 'schema kernel',
              make: () => owner.query(make),
              undo: () => owner.query(undo),
            });
          },
          DAMAGE_MS,
        );

        it(
          'a mode in which nothing is written',
          async () => {
            const mode = async (name: string) => {
              expect((await launcher.on('mode', name, '--reason', 'a drill', '--yes')).code).toBe(0);
            };
            await tried('the kernel is read-only', {
              code: 'mode_not_normal',
              where: () => 'kernel.mode',
              make: () => mode('read-only'),
              undo: () => mode('normal'),
            });
          },
          DAMAGE_MS,
        );

        it(
          'a forged row, as the kernel meets it and as the audit does',
          async () => {
            const index = await owner.query<{ id: string; type: string }>(
              `SELECT id, type FROM kernel_index.events WHERE shard = 0 ORDER BY seq DESC LIMIT 1`,
            );
            const { id, type } = index.rows[0] ?? {};
            const set = (to: unknown) =>
              owner.query('UPDATE kernel_index.events SET type = $1 WHERE id = $2', [to, id]);
            await tried('a row of the index is forged', {
              code: 'integrity_fault',
              where: () => 'index',
              make: async () => {
                await set('forged.thing');
                await operator.get('/kernel/audit?type=forged.thing');
              },
              undo: async () => {
                await set(type);
                const before = launcher.processOf('kernel');
                signalProcess(before, 'SIGKILL');
                await gone(before);
              },
            });
            await tried('the newest audit has findings', {
              code: 'audit_findings',
              where: () => 'dev.kernel.localhost',
              make: async () => {
                await set('forged.thing');
                expect((await launcher.on('audit run')).code).toBe(1);
              },
              undo: async () => {
                await set(type);
                await launcher.on('audit run');
              },
            });
          },
          DAMAGE_MS,
        );

        it(
          'certificates that end, have ended, and are none',
          async () => {
            const path = file('identities', 'dev-norole.pem');
            const [pem, key] = [
              await readFile(path, 'utf8'),
              await readFile(path.replace('.pem', '.key'), 'utf8'),
            ];
            const [cert, caKey] = [
              await readFile(file('identities', 'ca.pem'), 'utf8'),
              await readFile(file('identities', 'ca.key'), 'utf8'),
            ];
            const ca = await TestCa.of({ cert, key: caKey });
            const put = async (text: string, of: string) => {
              await writeFile(path, text);
              await writeFile(path.replace('.pem', '.key'), of);
            };
            const lasting = async (from: number, to: number) => {
              const now = Date.now();
              const made = await ca.issue({
                subject: [{ CN: ['dev-norole'] }],
                notBefore: new Date(now + from * DAY_MS),
                notAfter: new Date(now + to * DAY_MS),
              });
              await put(made.cert, made.key);
            };
            const damages: [string, string, () => Promise<void>][] = [
              ['a certificate ends in five days', 'certificate_near_end', () => lasting(-1, 5)],
              ['a certificate has ended', 'certificate_ended', () => lasting(-3, -1)],
              ['a certificate was cut off', 'certificate_unusable', () => put(pem.slice(0, 200), key)],
            ];
            for (const [damage, code, make] of damages) {
              await tried(damage, { code, where: () => path, make, undo: () => put(pem, key) });
            }
          },
          DAMAGE_MS,
        );

        it(
          'TLS files that the kernel refuses',
          async () => {
            const path = file('identities', 'kernel-server.pem');
            const pem = await readFile(path, 'utf8');
            await tried("the kernel's TLS files are unusable", {
              code: 'tls_files_refused',
              where: () => 'kernel',
              root: 'certificate_unusable',
              make: () => writeFile(path, 'no certificate'),
              undo: () => writeFile(path, pem),
            });
          },
          DAMAGE_MS,
        );

        it(
          'secrets that others may read, and that are gone',
          async () => {
            const key = file('row.key');
            await tried('others may read a secret', {
              code: 'secret_file_open',
              where: () => key,
              make: () => chmod(key, 0o644),
              undo: () => chmod(key, 0o600),
            });
            await tried('a file that the chain needs is gone', {
              code: 'state_incomplete',
              where: () => launcher.state,
              make: () => rename(key, `${key}.away`),
              undo: () => rename(`${key}.away`, key),
            });
          },
          DAMAGE_MS,
        );

        it(
          'a trust root that is not the registry',
          async () => {
            const path = join(launcher.scratch, 'signers.json');
            const text = (await launcher.on('keys signers')).stdout;
            const held = JSON.parse(text) as { signers: object[] };
            const less = JSON.stringify({ ...held, signers: held.signers.slice(1) });
            await tried('signers.json lacks a registered key', {
              code: 'signers_differ',
              where: () => path,
              args: () => ['--signers', path],
              make: () => writeFile(path, less),
              undo: () => writeFile(path, text),
            });
          },
          DAMAGE_MS,
        );

        it(
          'errors in a log',
          async () => {
            const path = file('logs', 'indexer.log');
            const before = await readFile(path);
            await tried('a process logs errors', {
              code: 'errors_in_log',
              where: () => path,
              make: () =>
                writeFile(
                  path,
                  Buffer.concat([
                    before,
                    Buffer.from(
                      `${JSON.stringify({ level: 'error', time: new Date().toISOString(), msg: 'it broke' })}\n`,
                    ),
                  ]),
                ),
              undo: () => writeFile(path, ''),
            });
          },
          DAMAGE_MS,
        );

        describe('a disk', () => {
          it.each([
            ['a disk is nearly full', 'disk_nearly_full', '700m', '650M'],
            ['a disk is full', 'disk_full', '64m', '60M'],
          ])(
            '%s',
            async (damage, code, size, fill) => {
              const dir = join(launcher.scratch, 'disk');
              await mkdir(dir, { recursive: true });
              let filled = true;
              const script =
                'mount -t tmpfs -o "size=$1" tmpfs "$2" && head -c "$3" /dev/zero > "$2/f"; shift 3; exec "$@"';
              const look = async () =>
                examined(
                  await finished(
                    launcher.start(
                      [
                        '--mount',
                        'sh',
                        '-c',
                        script,
                        'sh',
                        size,
                        dir,
                        filled ? fill : '1',
                        launcher.script,
                      ].concat(['doctor', '--json', '--state', launcher.state, '--disk', dir]),
                      {},
                      'unshare',
                    ),
                  ),
                );
              await tried(damage, {
                code,
                where: () => dir,
                make: () => undefined,
                undo: () => (filled = false),
                look,
              });
            },
            DAMAGE_MS,
          );
        });

        describeWithFaketime('a clock', () => {
          let late: ChildProcess | undefined;
          afterAll(() => late?.kill('SIGKILL'));

          it(
            'that is an hour ahead, in a deployment that is named by its addresses',
            async () => {
              const management = await freePort();
              const url = `http://127.0.0.1:${management}`;
              const env = await readEnvironmentFile(file('auditor.env'));
              const program = join(await ensureBuilt(), 'apps', 'auditor', 'main.js');
              const start = async (more: Record<string, string>) => {
                late = spawn(process.execPath, [program], {
                  env: { ...env, KERNEL_MANAGEMENT_PORT: String(management), ...more },
                  stdio: 'ignore',
                });
                await until(() =>
                  fetch(`${url}/health`).then(
                    (answer) => answer.ok,
                    () => false,
                  ),
                );
              };
              const stop = async () => {
                const child = late;
                if (child === undefined) return;
                const ended = new Promise((done) => child.once('exit', done));
                child.kill('SIGKILL');
                await ended;
              };
              const databaseUrl = {
                DATABASE_URL: value('DATABASE_URL'),
                PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
                HOME: homedir(),
              };
              const look = async () =>
                examined(
                  await launcher.run(['doctor', '--json', '--process', `auditor=${url}`], {
                    env: databaseUrl,
                  }),
                );
              await tried('the clock of a process is an hour ahead', {
                code: 'clock_skewed',
                where: () => url,
                look,
                make: () => start(clockApart('+1h')),
                undo: async () => {
                  await stop();
                  await start({});
                },
              });
              const report = await look();
              await stop();
              // What has no address is not called fine.
              expect(report.notLookedAt.map(({ part }) => part)).toEqual(
                expect.arrayContaining([
                  'run',
                  'kafka',
                  'archive',
                  'openBao',
                  'certificates',
                  'signers',
                  'rights',
                ]),
              );
              expect(report.all).toEqual([]);
              expect([report.exit, report.verdict]).toEqual([0, 'healthy']);
              // The workers' role may not read the audits.
              const less = { ...databaseUrl, DATABASE_URL: value('DATABASE_WORKER_URL') };
              await start({});
              const told = examined(
                await launcher.run(['doctor', '--json', '--process', `auditor=${url}`], { env: less }),
              );
              await stop();
              expect([told.exit, told.verdict, told.roots]).toEqual([2, 'cannot tell', ['database_unseen']]);
            },
            DAMAGE_MS,
          );
        });
      });

      it(
        'writes a bundle without any of the secrets, wherever they were put',
        async () => {
          const secrets = await knownSecrets();
          expect(secrets.length).toBeGreaterThan(20);
          const planted = [
            ...secrets,
            `token hvs.${'CAESIJ4xQ'.repeat(4)}`,
            'postgres://someone:planted-password@db.example/kernel',
          ];
          const log = file('logs', 'kernel.log');
          const before = await readFile(log);
          const lines = planted.map((text) =>
            JSON.stringify({ level: 'error', time: new Date().toISOString(), msg: text }),
          );
          await writeFile(log, Buffer.concat([before, Buffer.from(`${lines.join('\n')}\n`)]));
          // What a person wrote into the database is told by doctor.json.
          const password = new URL(value('DATABASE_URL')).password;
          await launcher.on('mode', 'read-only', '--reason', `because of ${password}`, '--yes');
          const bundle = join(launcher.scratch, 'bundle.tar.gz');
          const written = await launcher.on('doctor', '--json', '--bundle', bundle);
          await launcher.on('mode', 'normal', '--reason', 'done', '--yes');
          expect(written.stderr).toMatch(/wrote .*bundle\.tar\.gz: \d+ files, \d+ bytes/);
          const out = join(launcher.scratch, 'bundle');
          await mkdir(out);
          const untar = await finished(launcher.start(['-xzf', bundle, '-C', out], {}, 'tar'));
          expect([untar.code, untar.stderr]).toEqual([0, '']);
          const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) =>
            entry.isFile(),
          );
          const texts = files.map((entry) => ({
            name: join(entry.parentPath, entry.name).slice(out.length + 1),
            text: readFileSync(join(entry.parentPath, entry.name), 'utf8'),
          }));
          const whole = texts.map(({ text }) => text).join('\n');
          for (const secret of [...secrets, 'planted-password', 'CAESIJ4xQ', 'PRIVATE KEY']) {
            expect(
              texts.filter(({ text }) => text.includes(secret)).map(({ name }) => [name, secret]),
            ).toEqual([]);
          }
          expect(whole).toContain('because of [removed]');
          const names = texts.map(({ name }) => name.replace('kernel-support/', ''));
          expect(names).toEqual(
            expect.arrayContaining(
              [
                'MANIFEST.txt',
                'doctor.json',
                'versions.json',
                'database.json',
                'settings/kernel.json',
                'logs/kernel.log',
              ].concat(['processes/kernel/metrics.txt', 'processes/signing-proxy/ready.json']),
            ),
          );
          const manifest = texts.find(({ name }) => name.endsWith('MANIFEST.txt'))?.text ?? '';
          for (const name of names.filter((one) => one !== 'MANIFEST.txt')) expect(manifest).toContain(name);
          expect(whole).toContain('kernel_mode{');
          expect(whole).toContain('KERNEL_ORIGIN');
          const again = await launcher.on('doctor', '--bundle', bundle);
          expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is there already') });
        },
        DAMAGE_MS,
      );

      /** Collected by other means than the doctor's. */
      async function knownSecrets(): Promise<string[]> {
        const found: string[] = [(await readFile(file('row.key'), 'utf8')).trim()];
        for (const path of [
          'postgres/passwords.json',
          'openbao/unseal.json',
          's3/archive-owner.json',
          's3/root-credentials.json',
        ]) {
          found.push(
            ...Object.values(JSON.parse(await readFile(file(path), 'utf8')) as Record<string, string>),
          );
        }
        for (const name of readdirSync(file('identities')).filter((one) => one.endsWith('.key'))) {
          const text = await readFile(file('identities', name), 'utf8');
          found.push(text.split('\n').filter((line) => line.length > 40 && !line.startsWith('-'))[0] ?? '');
        }
        for (const name of [
          'DATABASE_URL',
          'DATABASE_WORKER_URL',
          'DATABASE_OWNER_URL',
          'S3_SECRET_ACCESS_KEY',
        ]) {
          found.push(value(name));
        }
        return found.filter((text) => text.length >= 8);
      }

      it(
        'says that nothing runs, by the stack that was stopped, and tells wrong use from it',
        async () => {
          await owner.end();
          expect((await launcher.on('down')).code).toBe(0);
          const report = await examine();
          expect([report.exit, report.roots]).toEqual([1, ['not_running']]);
          expect(report.findings[0]?.action).toBe(`./kernel up --detach --state ${launcher.state}`);
          note({
            damage: 'the kernel was stopped',
            code: 'not_running',
            where: launcher.state,
            exit: 1,
            seconds: '',
          });
          const nowhere = await launcher.run(['doctor', '--state', join(launcher.scratch, 'nothing')]);
          expect(nowhere).toMatchObject({
            code: 2,
            stdout: '',
            stderr: expect.stringContaining('There is no kernel in'),
          });
          const wrong = await launcher.run(['doctor', '--process', 'kernel']);
          expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('NAME=http://HOST:PORT') });
          expect(new Set(results.map(({ damage }) => damage)).size).toBeGreaterThanOrEqual(20);
        },
        DAMAGE_MS,
      );
    });
  });
});
