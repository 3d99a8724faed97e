import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith } from '#dev/testing';
import { readEnvironmentFile, writeEnvironmentFile } from './environment-file';
import { endLeftovers, readRun, RunClaim } from './run-record';
import { DEFAULT_PORT_BASE, portsFrom } from './stack-ports';
import { StateFolder } from './state-folder';
import { identityOf, isRunning, type ProcessIdentity } from '../process/process-identity';

let base: string;
let dir: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'state folder-'));
  dir = join(base, 'state');
});
afterEach(() => rm(base, { recursive: true, force: true }));

describe('StateFolder', () => {
  it('keeps what may not change, and takes another port base', async () => {
    const made = await StateFolder.openOrCreate(dir, { signer: 'pkcs11', shards: 2 });
    expect(made.record).toEqual({
      format: 1,
      origin: expect.stringMatching(/^dev\.kernel\.localhost\/[0-9a-f]{8}$/),
      signer: 'pkcs11',
      shards: 2,
      stream: 'postgres',
      archive: 'fs',
      portBase: DEFAULT_PORT_BASE,
      establishedAt: null,
    });
    const again = await StateFolder.openOrCreate(dir, { portBase: 9000 });
    expect(again.record).toEqual({ ...made.record, portBase: 9000 });
    expect((await StateFolder.find(dir))?.record).toEqual(again.record);
    await expect(StateFolder.check(dir, { signer: 'software' })).rejects.toMatchObject({
      code: 'unsupported_option',
    });
    for (const other of [{ shards: 1 }, { stream: 'kafka' }, { archive: 's3' }] as const) {
      await expect(StateFolder.check(dir, other)).rejects.toMatchObject({ code: 'unsupported_option' });
    }
    expect((await StateFolder.openOrCreate(join(base, 'other'), {})).record.origin).not.toBe(
      made.record.origin,
    );
  });

  it('does not begin a second chain where one was', async () => {
    const folder = await StateFolder.openOrCreate(dir, {});
    folder.assertComplete();
    await folder.establish(new Date('2026-01-31T10:00:00Z'));
    await folder.establish(new Date('2027-01-31T10:00:00Z'));
    const reopened = await StateFolder.openOrCreate(dir, {});
    expect(reopened.record.establishedAt).toBe('2026-01-31T10:00:00.000Z');
    expect(() => reopened.assertComplete()).toThrow(
      /PG_VERSION is missing, and with it the database of the chain/,
    );
    expect(reopened.isDatabaseLost).toBe(false);
    await mkdir(join(dir, 'archive', 'audit'), { recursive: true });
    expect(reopened.isDatabaseLost).toBe(true);
    expect(() => reopened.assertComplete()).toThrow(/signing-keys is missing/);
    await mkdir(join(dir, 'postgres', 'data'), { recursive: true });
    await writeFile(join(dir, 'postgres', 'data', 'PG_VERSION'), '18\n');
    expect(() => reopened.assertComplete()).toThrow(/signing-keys is missing, and with it the signing keys/);
    await mkdir(join(dir, 'signing-keys'));
    expect(() => reopened.assertComplete()).toThrow(/row\.key is missing, and with it what authenticates/);
    await writeFile(join(dir, 'row.key'), '');
    expect(() => reopened.assertComplete()).toThrow(/marks is missing, and with it what the signing proxy/);
    await mkdir(join(dir, 'signing-marks'));
    await writeFile(join(dir, 'signing-marks', 'high-water-marks'), '');
    reopened.assertComplete();
    expect(reopened.isDatabaseLost).toBe(false);
  });

  it('misses what opens the keys as it misses the keys', async () => {
    const folder = await StateFolder.openOrCreate(dir, { signer: 'vault-transit' });
    await folder.establish();
    await mkdir(join(dir, 'postgres', 'data'), { recursive: true });
    await writeFile(join(dir, 'postgres', 'data', 'PG_VERSION'), '18\n');
    expect(() => folder.assertComplete()).toThrow(/vault\.db is missing, and with it the signing keys/);
    await mkdir(join(dir, 'openbao', 'data'), { recursive: true });
    await writeFile(join(dir, 'openbao', 'data', 'vault.db'), '');
    expect(() => folder.assertComplete()).toThrow(/unseal\.json is missing, and with it what unseals/);
    await writeFile(join(dir, 'openbao', 'unseal.json'), '{}');
    expect(() => folder.assertComplete()).toThrow(/row\.key is missing/);
  });

  it('writes nothing while it checks', async () => {
    await StateFolder.check(dir, {});
    expect(await readdir(dir)).toEqual([]);
    expect(await StateFolder.find(dir)).toBeUndefined();
    expect(await StateFolder.find(join(base, 'nowhere'))).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['half of it', '{ "format": 1, "origin": "dev.ker'],
    ['another format', '{ "format": 2 }'],
    [
      'a signer that does not exist',
      '{"format":1,"origin":"a","signer":"paper","shards":1,"portBase":1,"establishedAt":null}',
    ],
  ])('refuses a record with %s', async (_, text) => {
    await mkdir(dir);
    await writeFile(join(dir, 'state.json'), text);
    await expect(StateFolder.check(dir, {})).rejects.toMatchObject({ code: 'state_broken' });
  });
});

// CI may run as root, to whom nothing is without permission.
const missing = process.getuid?.() === 0 ? 'root may write anywhere' : null;
describeWith({ missing, isNamed: true }, 'StateFolder for an ordinary user', () => {
  it('names a folder without write permission', async () => {
    await mkdir(dir);
    await chmod(dir, 0o500);
    await expect(StateFolder.check(dir, {})).rejects.toMatchObject({ code: 'no_write_permission' });
  });
});

it('puts the ports where the contract says', () => {
  expect(portsFrom(8440)).toEqual({
    web: 8440,
    kernels: [{ api: 8443, management: 8444 }],
    signingProxy: 8445,
    postgres: 8446,
    identityProvider: 8447,
    signingProxyManagement: 8450,
    workers: expect.arrayContaining([
      { app: 'outbox-relay', management: 8451 },
      { app: 'log-publisher', management: 8458, listen: 8459 },
    ]),
    kafka: 8455,
    s3: 8456,
    openBao: 8457,
  });
});

describe('RunClaim', () => {
  beforeEach(() => mkdir(dir));

  it('is for one supervisor at a time', async () => {
    const { claim, endedLeftovers } = await RunClaim.take(dir);
    expect(endedLeftovers).toEqual([]);
    await expect(RunClaim.take(dir)).rejects.toMatchObject({
      code: 'already_running',
      details: { pid: process.pid },
    });
    expect(readRun(dir)?.supervisor).toEqual(identityOf(process.pid));
    claim.release();
    (await RunClaim.take(dir)).claim.release();
    expect(await readdir(dir)).toEqual([]);
  });

  it('ends what a supervisor that is gone has left, and not who has its number now', async () => {
    const left = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await Promise.all([once(left, 'spawn'), once(bystander, 'spawn')]);
    const ended = once(left, 'exit');
    try {
      const service = (identity: ProcessIdentity) => ({ process: identity, state: 'running', restarts: 0 });
      const record = {
        supervisor: { pid: bystander.pid, startedAt: 'an earlier boot/1' },
        startedAt: new Date().toISOString(),
        services: {
          kernel: service(identityOf(left.pid as number) as ProcessIdentity),
          postgres: service({ pid: bystander.pid as number, startedAt: 'an earlier boot/2' }),
        },
      };
      await writeFile(join(dir, 'run.json'), JSON.stringify(record));
      const { claim, endedLeftovers } = await RunClaim.take(dir);
      expect(endedLeftovers).toEqual(['kernel']);
      expect(await ended).toEqual([null, 'SIGTERM']);
      expect(isRunning(identityOf(bystander.pid as number) as ProcessIdentity)).toBe(true);
      claim.release();
    } finally {
      left.kill('SIGKILL');
      bystander.kill('SIGKILL');
    }
  });

  it.each(['', '{ "superv', '{}', 'null'])(
    'is not taken beside what a damaged record (%j) hides',
    async (text) => {
      await writeFile(join(dir, 'run.json'), text);
      const damaged = {
        code: 'state_broken',
        message: expect.stringMatching(/it is not known what runs from/),
      };
      expect(() => readRun(dir)).toThrow(/run\.json is damaged/);
      await expect(RunClaim.take(dir)).rejects.toMatchObject(damaged);
      await expect(endLeftovers(dir)).rejects.toMatchObject(damaged);
      expect(await readFile(join(dir, 'run.json'), 'utf8')).toBe(text);
    },
  );

  it('does not stumble over a record that the machine was switched off on', async () => {
    await writeFile(join(dir, 'run.json'), '{ "superv');
    await utimes(join(dir, 'run.json'), 1, 1);
    expect(readRun(dir)).toBeUndefined();
    expect(await endLeftovers(dir)).toEqual([]);
    (await RunClaim.take(dir)).claim.release();
  });
});

describe('the environment file', () => {
  it('reads back what it wrote, whatever the values hold, as a shell does', async () => {
    const file = join(base, 'kernel.env');
    const values = {
      PLAIN: '/a/b.pem',
      SPACES: '/a folder/b',
      QUOTES: `it's "quoted"`,
      DOLLAR: '$HOME `id` \\n',
      EMPTY: '',
      URL: 'postgres://u:p@127.0.0.1:5432/db?x=1&y=2',
    };
    await writeEnvironmentFile(file, [
      { comment: 'a comment' },
      ...Object.entries(values).map(([name, value]) => ({ name, value })),
    ]);
    expect(await readEnvironmentFile(file)).toEqual(values);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const shell = spawn('/bin/sh', [
      '-c',
      `. "$1"; printf '%s\\n' "$PLAIN" "$SPACES" "$QUOTES" "$DOLLAR" "$EMPTY" "$URL"`,
      'sh',
      file,
    ]);
    let text = '';
    shell.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(shell, 'close');
    expect(text).toBe(`${Object.values(values).join('\n')}\n`);
    expect(await readFile(file, 'utf8')).toMatch(/^# a comment\nPLAIN=\/a\/b\.pem\n/);
  });
});
