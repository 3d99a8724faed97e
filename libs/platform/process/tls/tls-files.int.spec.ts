import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Writable } from 'node:stream';
import { Registry } from 'prom-client';
import { TestCa, type TestCertificate } from '#dev/testing';
import { ConfigError } from '../config/config-error';
import { createLogger } from '../logs/logger';
import { TlsFiles, type TlsMaterial } from './tls-files';

const HOUR_MS = 3_600_000;

describe('TLS files', () => {
  let ca: TestCa;
  let dir: string;
  let first: TestCertificate;
  let second: TestCertificate;
  let registry: Registry;
  let opened: { close(): void } | undefined;
  const logs: { msg: string; reason?: string; level: string }[] = [];
  const renewals: TlsMaterial[] = [];
  const logger = createLogger({
    app: 'test',
    level: 'info',
    destination: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        logs.push(JSON.parse(chunk.toString()) as (typeof logs)[number]);
        done();
      },
    }),
  });

  beforeAll(async () => {
    ca = await TestCa.create();
    const month = new Date(Date.now() + 30 * 24 * HOUR_MS);
    const issue = () => ca.issue({ subject: [{ CN: ['localhost'] }], usage: 'server', notAfter: month });
    first = await issue();
    second = await issue();
  });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tls-files-'));
    registry = new Registry();
    logs.length = 0;
    renewals.length = 0;
  });
  afterEach(async () => {
    opened?.close();
    opened = undefined;
    await rm(dir, { recursive: true, force: true });
  });

  const put = async (pair: Partial<TestCertificate>, into = dir): Promise<void> => {
    if (pair.cert !== undefined) await writeFile(join(into, 'tls.crt'), pair.cert);
    if (pair.key !== undefined) await writeFile(join(into, 'tls.key'), pair.key);
    await writeFile(join(into, 'ca.crt'), ca.cert);
  };
  const open = (lookEveryMs = HOUR_MS) => {
    const paths = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), ca: join(dir, 'ca.crt') };
    const files = new TlsFiles({ use: 'test', paths, logger, registry, lookEveryMs });
    files.onRenewal((material) => renewals.push(material));
    opened = files;
    return files;
  };
  /** Whether `condition` becomes true within five seconds. */
  const soon = async (condition: () => boolean): Promise<boolean> => {
    for (let n = 0; n < 500 && !condition(); n++) await delay(10);
    return condition();
  };
  const takes = (files: { readonly current: TlsMaterial }, pair: TestCertificate) =>
    soon(() => String(files.current.cert) === pair.cert && String(files.current.key) === pair.key);

  it('take effect when both have been written in place', async () => {
    await put(first);
    const files = open();
    await put(second);
    expect(await takes(files, second)).toBe(true);
    expect(renewals).toHaveLength(1);
    expect(String(renewals[0]?.cert)).toBe(second.cert);
    expect(logs.map(({ msg }) => msg)).toContain('the TLS files have changed and are in force');
  });

  it('take effect when others are renamed over them', async () => {
    await put(first);
    const files = open();
    const next = join(dir, 'next');
    await mkdir(next);
    await put(second, next);
    await rename(join(next, 'tls.key'), join(dir, 'tls.key'));
    await rename(join(next, 'tls.crt'), join(dir, 'tls.crt'));
    expect(await takes(files, second)).toBe(true);
  });

  it('take effect when the link of a mounted secret is exchanged', async () => {
    for (const [version, pair] of [
      ['..1', first],
      ['..2', second],
    ] as const) {
      await mkdir(join(dir, version));
      await put(pair, join(dir, version));
    }
    await symlink('..1', join(dir, '..data'));
    for (const name of ['tls.crt', 'tls.key', 'ca.crt']) await symlink(join('..data', name), join(dir, name));
    const files = open();
    expect(String(files.current.cert)).toBe(first.cert);
    await symlink('..2', join(dir, '..data_tmp'));
    await rename(join(dir, '..data_tmp'), join(dir, '..data'));
    expect(await takes(files, second)).toBe(true);
    expect(renewals).toHaveLength(1);
  });

  it('are found by reading them now and then when the file system says nothing', async () => {
    const real = join(dir, 'real');
    const other = join(dir, 'other');
    for (const [folder, pair] of [
      [real, first],
      [other, second],
    ] as const) {
      await mkdir(folder);
      await put(pair, folder);
    }
    await symlink(real, join(dir, 'mount'));
    const paths = { cert: join(dir, 'mount', 'tls.crt'), key: join(dir, 'mount', 'tls.key') };
    const files = new TlsFiles({ use: 'test', paths, logger, registry, lookEveryMs: 50 });
    opened = files;
    // Exchanged above the folder that is watched.
    await symlink(other, join(dir, 'mount-next'));
    await rename(join(dir, 'mount-next'), join(dir, 'mount'));
    expect(await takes(files, second)).toBe(true);
  });

  it('are read at once on SIGHUP', async () => {
    await put(first);
    const files = open();
    await put(second);
    process.emit('SIGHUP');
    expect(String(files.current.cert)).toBe(second.cert);
  });

  it('of which one is not written yet are not taken and not complained of', async () => {
    await put(first);
    const files = open();
    await put({ cert: second.cert });
    await delay(300);
    expect(String(files.current.cert)).toBe(first.cert);
    await put({ key: second.key });
    expect(await takes(files, second)).toBe(true);
    expect(logs.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each([
    [
      'a key of another certificate',
      async () => put({ key: second.key }),
      'the certificate and the private key do not belong together',
    ],
    ['half a file', async () => put({ cert: first.cert.slice(0, 200) }), 'no certificate could be read'],
    [
      'a certificate that has ended',
      async () => {
        const from = new Date(Date.now() - 2 * HOUR_MS);
        const notAfter = new Date(Date.now() - HOUR_MS);
        await put(await ca.issue({ subject: [{ CN: ['localhost'] }], notBefore: from, notAfter }));
      },
      'expired on',
    ],
    ['no authority', async () => writeFile(join(dir, 'ca.crt'), 'none'), 'no authority could be read'],
    ['a file that is gone', async () => rm(join(dir, 'tls.key')), 'ENOENT'],
  ])('with %s stay as they were, which is said once', async (_what, spoil, reason) => {
    await put(first);
    const files = open();
    await spoil();
    const complaints = () => logs.filter(({ level }) => level === 'error');
    expect(await soon(() => complaints().length > 0)).toBe(true);
    files.look();
    files.look();
    expect(complaints()).toHaveLength(1);
    expect(complaints()[0]?.reason).toContain(reason);
    expect(String(files.current.cert)).toBe(first.cert);
    expect(renewals).toEqual([]);
    expect(await registry.metrics()).toContain('tls_files_refused{use="test"} 1');
    await put(second);
    expect(await takes(files, second)).toBe(true);
    expect(await registry.metrics()).toContain('tls_files_refused{use="test"} 0');
  });

  it('that do not fit together at the start are an error', async () => {
    await put({ cert: first.cert, key: second.key });
    expect(() => open()).toThrow(ConfigError);
    expect(() => open()).toThrow('do not belong together');
  });

  it('are shown with their ends, and no longer when they are replaced', async () => {
    await put(first);
    const files = open();
    const series = async () =>
      (await registry.metrics())
        .split('\n')
        .filter((line) => line.startsWith('tls_certificate_expiry_timestamp_seconds{'));
    const before = await series();
    expect(before).toHaveLength(2);
    expect(before.join()).toContain('use="test",subject="CN=localhost"');
    await put(second);
    files.look();
    const after = await series();
    expect(after).toHaveLength(2);
    expect(after).not.toEqual(before);
    files.close();
    expect(await series()).toEqual([]);
  });
});
