import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Registry } from 'prom-client';
import { defineConfig } from '../config/define-config';
import { loadConfig } from '../config/load-config';
import { matching } from '../config/setting-types';
import { createLogger } from '../logs/logger';
import { SecretFile, secretText } from './secret-file';
import { secretFilesOf, watchSecrets } from './watch-secrets';

const NEVER_MS = 3_600_000;
const definition = defineConfig({
  KERNEL_PASSWORD: {
    schema: matching(/^[a-z0-9]+$/, 'letters and digits').optional(),
    description: 'A password.',
    secret: true,
    rotates: true,
  },
});

describe('a secret in a file', () => {
  let dir: string;
  let file: string;
  let registry: Registry;
  let lines: string[];
  let end: (() => void) | undefined;
  const logger = createLogger({
    app: 'test',
    level: 'debug',
    destination: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines.push(chunk.toString());
        done();
      },
    }),
  });

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'secret-file-'));
    file = join(dir, 'password');
    registry = new Registry();
    lines = [];
    await writeFile(file, 'first0000\n');
  });
  afterEach(async () => {
    end?.();
    end = undefined;
    await rm(dir, { recursive: true, force: true });
  });

  const load = (path = file) => loadConfig(definition, { KERNEL_PASSWORD_FILE: path });
  const open = (path = file): SecretFile => {
    const { password } = load(path);
    if (!(password instanceof SecretFile)) throw new TypeError('it is no file');
    return password;
  };
  const watch = (secret: SecretFile, everyMs = NEVER_MS): void => {
    end = watchSecrets([secret], { logger, registry, everyMs });
  };
  const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    for (let n = 0; n < 1_000; n++) {
      if (await condition()) return;
      await delay(10);
    }
    throw new Error('not within ten seconds');
  };
  const takes = (secret: SecretFile, value: string) => until(() => secret.current === value);
  const shown = async (metric: string) =>
    (await registry.metrics()).split('\n').find((line) => line.startsWith(`${metric}{`));

  it('is a text where the environment has it, and is not there where it is not set', () => {
    expect(loadConfig(definition, { KERNEL_PASSWORD: 'x' }).password).toBe('x');
    expect(loadConfig(definition, {}).password).toBeUndefined();
    expect(secretText('x')).toBe('x');
  });

  it('is found in the configuration, and shown by nothing', () => {
    const config = load();
    expect(secretFilesOf(config).map(({ setting }) => setting)).toEqual(['KERNEL_PASSWORD']);
    expect(secretText(config.password ?? '')).toBe('first0000');
    const secret = open();
    const prints = [
      inspect(secret, { depth: 9, showHidden: true }),
      JSON.stringify({ secret }),
      String(secret),
      JSON.stringify(config),
      inspect(config, { showHidden: true, depth: 9 }),
    ];
    for (const print of prints) expect(print).not.toContain('first0000');
  });

  it('is read again when it is written in place, and says so without its value', async () => {
    const secret = open();
    watch(secret);
    await writeFile(file, 'second000\n');
    await takes(secret, 'second000');
    expect(await shown('secret_file_changes_total')).toBe(
      'secret_file_changes_total{setting="KERNEL_PASSWORD"} 1',
    );
    expect(lines.join('')).toContain('a secret has changed and is in force');
    expect(lines.join('')).not.toContain('second000');
  });

  it('is read again when the link of a mounted secret is exchanged', async () => {
    for (const [version, value] of [
      ['..1', 'first0000'],
      ['..2', 'second000'],
    ] as const) {
      await mkdir(join(dir, version));
      await writeFile(join(dir, version, 'mounted'), value);
    }
    await symlink('..1', join(dir, '..data'));
    await symlink(join('..data', 'mounted'), join(dir, 'mounted'));
    const secret = open(join(dir, 'mounted'));
    watch(secret);
    await symlink('..2', join(dir, '..data_tmp'));
    await rename(join(dir, '..data_tmp'), join(dir, '..data'));
    await takes(secret, 'second000');
  });

  it('is read now and then when the file system says nothing', async () => {
    for (const [folder, value] of [
      ['real', 'first0000'],
      ['other', 'second000'],
    ] as const) {
      await mkdir(join(dir, folder));
      await writeFile(join(dir, folder, 'password'), value);
    }
    await symlink('real', join(dir, 'mount'));
    const secret = open(join(dir, 'mount', 'password'));
    watch(secret, 50);
    // Exchanged above the folder that is watched.
    await symlink('other', join(dir, 'mount-next'));
    await rename(join(dir, 'mount-next'), join(dir, 'mount'));
    await takes(secret, 'second000');
  });

  it.each<[string, (path: string) => Promise<void>, string]>([
    ['empty', (path) => writeFile(path, '\n'), 'is empty'],
    ['away', (path) => unlink(path), 'cannot be read (ENOENT)'],
    ['too large', (path) => writeFile(path, 'x'.repeat(1_048_577)), 'is larger than 1 MiB'],
    ['unfit', (path) => writeFile(path, 'Hunter2!'), 'that does not fit'],
  ])('keeps the value before while the file is %s, and says so', async (_, spoil, reason) => {
    const secret = open();
    watch(secret);
    await spoil(file);
    const refused = 'secret_file_refused{setting="KERNEL_PASSWORD"}';
    await until(async () => (await shown('secret_file_refused')) === `${refused} 1`);
    expect(secret.current).toBe('first0000');
    expect(secret.problem).toContain(reason);
    const said = lines.filter((line) => line.includes('the value before stays in force'));
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('KERNEL_PASSWORD');
    expect(lines.join('')).not.toMatch(/first0000|Hunter2/);
    await writeFile(file, 'third0000');
    await takes(secret, 'third0000');
    await until(async () => (await shown('secret_file_refused')) === `${refused} 0`);
  });

  it('is not complained about while it is being written', async () => {
    const secret = open();
    watch(secret);
    await writeFile(file, '');
    await delay(300);
    await writeFile(file, 'second000');
    await takes(secret, 'second000');
    expect(lines.join('')).not.toContain('cannot be used');
  });

  it('can only rotate where it may come from a file', () => {
    const schema = matching(/./, 'anything').optional();
    expect(() => defineConfig({ KERNEL_X: { schema, description: 'x', rotates: true } })).toThrow(
      'cannot come from a file',
    );
  });
});
