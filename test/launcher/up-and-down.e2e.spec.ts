import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  identityOf,
  isRunning,
  type ProcessIdentity,
  readEnvironmentFile,
  signalProcess,
} from '#dev/devstack';
import { workTree } from '#dev/testing';
import { finished, gone, Launcher, until } from './launcher.driver';

const SERVICES = ['postgres', 'signing-proxy', 'kernel'];

/** Every name that the contract promises in kernel.env. */
const PROMISED = [
  ...[
    'API_URL',
    'WEB_URL',
    'OIDC_ISSUER',
    'MANAGEMENT_URL',
    'SIGNING_PROXY_URL',
    'ORIGIN',
    'CA_CERT',
    'ARCHIVE_DIR',
    'LOG_URL',
  ],
  ...['OPERATOR', 'SUPERADMIN', 'DIVISION_LEAD', 'AUDITOR', 'NOROLE'].flatMap((n) => [
    `${n}_CERT`,
    `${n}_KEY`,
  ]),
  ...[1, 2, 3, 4, 5].flatMap((n) => ['ID', 'KEY', 'CERT', 'TLS_KEY'].map((x) => `APPROVER_${n}_${x}`)),
].map((name) => `KERNEL_${name}`);

describe('./kernel up', () => {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await Launcher.create();
    const up = await launcher.upReady();
    expect(up).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ready after /) });
    // Its last output is the three commands to try next.
    expect(up.stdout.match(/^ {2}.*\.\/kernel .*$/gm)).toHaveLength(3);
  }, 120_000);
  afterAll(() => launcher.stop(), 60_000);

  const supervised = (): ProcessIdentity[] => [
    launcher.runRecord().supervisor,
    ...SERVICES.map((service) => launcher.processOf(service)),
  ];
  const ready = () => until(async () => (await launcher.on('status')).code === 0);

  it('writes what a shell needs, for its owner only', async () => {
    const file = join(launcher.state, 'kernel.env');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const variables = await readEnvironmentFile(file);
    expect(Object.keys(variables)).toEqual(expect.arrayContaining([...PROMISED, 'DATABASE_URL']));
    for (const [name, value] of Object.entries(variables)) {
      if (/_(CERT|KEY)$/.test(name)) {
        expect((await stat(value)).mode & 0o777).toBe(name.endsWith('_CERT') ? 0o644 : 0o600);
      }
    }
    const { stdout } = await promisify(execFile)('/bin/sh', [
      '-c',
      '. "$1"; printf %s "$KERNEL_CA_CERT"',
      'sh',
      file,
    ]);
    expect(stdout).toBe(variables['KERNEL_CA_CERT']);
    const exported = await promisify(execFile)(
      '/bin/sh',
      ['-euc', 'set -a; . "$1"; "$2" keys; "$2" audit verify', 'sh', file, launcher.script],
      { cwd: launcher.scratch },
    );
    expect(exported.stdout).toContain('kernel-audit-ed25519-v1');
    expect(exported.stdout).toContain('Audit chain verified');
    const secrets = ['identities', 'signing-keys'].flatMap((folder) =>
      readdirSync(join(launcher.state, folder)).map((name) => join(launcher.state, folder, name)),
    );
    for (const path of secrets.filter((name) => /PRIVATE KEY/.test(readFileSync(name, 'utf8')))) {
      expect((await stat(path)).mode & 0o077).toBe(0);
    }
  });

  it('gives its processes an environment of their own', () => {
    if (process.platform !== 'linux') return;
    for (const service of SERVICES) {
      const names = readFileSync(`/proc/${launcher.processOf(service).pid}/environ`, 'utf8')
        .split('\0')
        .map((line) => line.split('=')[0] ?? '')
        .filter((name) => name !== '');
      expect(
        names.filter(
          (name) =>
            !/^(KERNEL_|KMS_|DATABASE_URL|OPENAPI_PATH|NODE_ENV|NODE_COMPILE_CACHE|LC_ALL|TZ|PATH)/.test(
              name,
            ),
        ),
      ).toEqual([]);
    }
  });

  it('signs from the command line and verifies the chain with the tool that trusts nothing', async () => {
    const manifest = join(launcher.scratch, 'manifest.json');
    const envelope = join(launcher.scratch, 'envelope.json');
    await writeFile(manifest, '{"id":"demo","version":"1.2.3","kind":"agent"}');
    expect(await launcher.on('sign', manifest, '--out', envelope)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Signed demo 1\.2\.3\n {2}audit id {2}[0-9a-f-]{36}\n/),
    });
    expect(JSON.parse(await readFile(envelope, 'utf8'))).toMatchObject({
      payloadType: 'application/vnd.in-toto+json',
    });
    const again = ['--idempotency-key', 'the-same', '--json'];
    const first = await launcher.on('sign', manifest, ...again);
    expect(JSON.parse(first.stdout)).toMatchObject({ signature_record: { manifest_id: 'demo' } });
    expect((await launcher.on('sign', manifest, ...again)).stdout).toBe(first.stdout);

    expect(await launcher.on('sign', manifest, '--as', 'auditor')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^kernel: The kernel answered 403 \(forbidden\): .*\n$/),
    });
    await writeFile(manifest, '{"id":"demo","id":"twice"}');
    expect(await launcher.on('sign', manifest)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^kernel: .*manifest\.json cannot be signed: .*\n$/),
    });

    expect(await launcher.on('audit verify')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/Audit chain verified\. Head hash: [0-9a-f]{64}/),
    });
  });

  it('does what the README says, line by line', async () => {
    const readme = await readFile(join(workTree(), 'README.md'), 'utf8');
    const block = /## The first signature.*?```sh\n(.*?)```/s.exec(readme)?.[1] ?? '';
    expect(block.trimEnd().split('\n')).toHaveLength(5);
    // The work tree of the reader, with the state of this test.
    const tree = join(launcher.scratch, 'reader');
    await mkdir(tree);
    await symlink(launcher.state, join(tree, '.kernel'));
    await symlink(join(workTree(), 'tools'), join(tree, 'tools'));
    const { stdout } = await promisify(execFile)('/bin/sh', ['-eu', '-c', block], { cwd: tree });
    expect(stdout).toContain('"manifest_id":"hello"');
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^Audit chain verified\. Head hash: [0-9a-f]{64}$/);
  });

  it('exports the chain once and never over something else', async () => {
    const file = join(launcher.scratch, 'chain.ndjson');
    const folder = join(launcher.scratch, 'archive');
    expect((await launcher.on('audit export', '--out', file, '--to', '2')).code).toBe(0);
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual([1, 2]);
    expect((await launcher.on('audit export', '--to', '2')).stdout).toBe(`${lines.join('\n')}\n`);
    expect((await launcher.on('audit export', '--out', file, '--to', '2')).code).toBe(0);
    expect(await launcher.on('audit export', '--out', file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exists and holds something else'),
    });

    const toFolder = () => launcher.on('audit export', '--dir', folder, '--to', '2');
    expect((await toFolder()).stderr).toMatch(/^kernel: 2 events written to .*, 0 were there already\n$/);
    expect((await toFolder()).stderr).toMatch(/^kernel: 0 events written to .*, 2 were there already\n$/);
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.json'));
    expect(names.every((name) => /^audit\/\d{4}\/\d{2}\/\d{2}\/[0-9a-f-]{36}\.json$/.test(name))).toBe(true);
    const stored = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    expect(stored.sort()).toEqual([...lines].sort());
    expect(await launcher.on('audit verify', '--dir', folder)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Audit chain verified'),
    });
  });

  it('lists the registered keys', async () => {
    const list = await launcher.on('keys');
    expect(list.stdout).toContain('kernel-audit-ed25519-v1');
    expect(JSON.parse((await launcher.on('keys jwks')).stdout)).toMatchObject({
      keys: [{}, {}, {}],
    });
    expect(JSON.parse((await launcher.on('keys signers')).stdout)).toMatchObject({
      signers: [{}, {}, {}],
    });
    expect(JSON.parse((await launcher.on('keys show', 'kernel-audit-ed25519-v1')).stdout)).toMatchObject({
      purposes: ['audit'],
    });
  });

  it('says so when it runs already', async () => {
    const before = supervised();
    const sentence = expect.stringMatching(
      /^kernel: The kernel of .* is already running \(process \d+\) and ready; see \.\/kernel status, .*\n$/,
    );
    expect(await launcher.up()).toEqual({ code: 0, stdout: '', stderr: sentence });
    expect(await launcher.on('up')).toEqual({ code: 1, stdout: '', stderr: sentence });
    expect(supervised()).toEqual(before);
  });

  it.each(SERVICES)('starts %s again when it is killed', async (service) => {
    const old = launcher.processOf(service);
    signalProcess(old, 'SIGKILL');
    await until(() => {
      const record = launcher.runRecord().services[service];
      return record?.state === 'running' && record.process?.pid !== old.pid;
    });
    await ready();
    const { stdout } = await launcher.on('status', '--json');
    const status = JSON.parse(stdout) as { services: { name: string; restarts: number }[] };
    expect(status.services.find(({ name }) => name === service)?.restarts).toBe(1);
    expect((await launcher.on('audit verify')).stdout).toContain('Audit chain verified');
  });

  it('ends everything when its supervisor is killed, and takes the same chain up again', async () => {
    const head = async () => (await launcher.on('audit export')).stdout;
    const before = await head();
    const { supervisor, services } = launcher.runRecord();
    // Workers too: one that finishes a batch may be there a moment longer than the kernel.
    const processes = Object.values(services).flatMap(({ process }) => process ?? []);
    expect(processes.length).toBeGreaterThan(SERVICES.length);
    signalProcess(supervisor, 'SIGKILL');
    await gone(supervisor, ...processes);
    expect(await launcher.on('status')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/\nNot running\.\n$/),
    });
    await launcher.upReady();
    expect(await head()).toBe(before);
  });

  it('finds and ends what is left when even the guard was killed, and nothing else', async () => {
    const record = launcher.runRecord();
    const processes = supervised();
    const guardOf = () => childrenOf(record.supervisor.pid).find(({ args }) => args.includes('orphan-guard'));
    const first = guardOf()?.identity as ProcessIdentity;
    const bystander = identityOf(process.pid) as ProcessIdentity;
    // When it alone is killed it is replaced; so the supervisor is stopped while it dies.
    signalProcess(first, 'SIGKILL');
    await until(() => {
      const guard = guardOf();
      return guard !== undefined && guard.identity.pid !== first.pid;
    });
    signalProcess(record.supervisor, 'SIGSTOP');
    const second = guardOf()?.identity as ProcessIdentity;
    signalProcess(second, 'SIGKILL');
    await gone(second);
    signalProcess(record.supervisor, 'SIGKILL');
    await gone(record.supervisor);
    expect(processes.filter(isRunning)).toHaveLength(SERVICES.length);
    expect((await launcher.on('status')).stdout).toMatch(/The supervisor is gone but .* still runs/);
    // A recorded process id that now belongs to another process is left alone.
    const file = join(launcher.state, 'run.json');
    const forged = {
      process: { pid: bystander.pid, startedAt: 'an earlier boot/1' },
      state: 'running',
      restarts: 0,
    };
    await writeFile(file, JSON.stringify({ ...record, services: { ...record.services, forged } }));

    expect(await launcher.on('down')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^The supervisor was gone; ended what it left behind: (postgres|signing-proxy|kernel)/,
      ),
    });
    expect(processes.some(isRunning)).toBe(false);
  });

  it('stops everything with down', async () => {
    await launcher.upReady();
    const processes = supervised();
    expect(await launcher.on('down')).toMatchObject({ code: 0, stdout: 'Stopped.\n' });
    expect(processes.some(isRunning)).toBe(false);
    expect(await launcher.on('down')).toMatchObject({
      code: 0,
      stdout: 'Nothing to stop: the kernel is not running.\n',
    });
  });

  it('stays in the foreground until Ctrl-C', async () => {
    const child = launcher.start(['up', '--state', launcher.state]);
    const result = finished(child);
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        if (chunk.toString().startsWith('ready after')) resolve();
      });
    });
    const processes = supervised();
    expect(processes.every(isRunning)).toBe(true);
    child.kill('SIGINT');
    expect(await result).toMatchObject({ code: 0, stderr: expect.stringMatching(/\nkernel: stopped\n$/) });
    expect(processes.some(isRunning)).toBe(false);
  });

  it('stops cleanly when it is interrupted on the way up', async () => {
    const child = launcher.start(['up', '--state', launcher.state]);
    child.stderr?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('starting the kernel')) child.kill('SIGTERM');
    });
    await once(child, 'close');
    expect(await launcher.on('status')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/\nNot running\.\n$/),
    });
  });
});

function childrenOf(pid: number): { identity: ProcessIdentity; args: string[] }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const parent = readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')[1];
        const identity = identityOf(Number(name));
        if (Number(parent) !== pid || identity === undefined) return [];
        return [{ identity, args: readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0') }];
      } catch {
        return [];
      }
    });
}
