import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  BoundedLog,
  DevelopmentCa,
  freePort,
  guardFolder,
  openBaoMissing,
  type OpenBaoServer,
  probe,
  releaseFolder,
  type RunningChild,
  startChild,
  startOpenBao,
} from '#dev/devstack';
import { describeWith, workTree } from '#dev/testing';
import { until } from '../faults/until';
import { containersMissing, podman, testImage } from './containers';
import { imageToolsMissing } from './image-tools';
import { imageSigningTools, imageSigningToolsMissing } from './pipeline-tools';

const BUILD_MS = 900_000;
const SIGN_MS = 180_000;
const KEY = 'image-signing';
/** Of somebody else, in the same engine. */
const OTHER_KEY = 'someone-else';
/** No transparency service is asked, here as in ci/sign_image.sh: the image is not public. */
const OFFLINE = '--insecure-ignore-tlog=true';

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

const run = (program: string, args: readonly string[], env: Record<string, string>): Promise<Run> =>
  promisify(execFile)(program, args, { env, maxBuffer: 2 ** 27 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Run) => ({ code, stdout, stderr }),
  );

describeWith(
  { missing: containersMissing() ?? openBaoMissing() ?? imageToolsMissing() ?? imageSigningToolsMissing() },
  'the signature of the image, by a key of the transit engine',
  () => {
    let dir: string;
    let bao: OpenBaoServer;
    let registry: RunningChild;
    let repository: string;
    let built: string;
    let image: string;
    let sbom: string;
    let env: Record<string, string>;

    const script = (args: readonly string[], changes: Record<string, string> = {}) =>
      run(join(workTree(), 'ci/sign_image.sh'), args, { ...env, ...changes });
    const cosign = (...args: string[]) => run(join(imageSigningTools().cosign, 'cosign'), args, env);
    /** By the API of the engine, not by cosign. */
    const publicKey = async (name: string): Promise<string> => {
      const { data } = (await bao.ask('GET', `transit/keys/${name}`)) as {
        data: { keys: Record<string, { public_key: string }> };
      };
      const file = join(dir, `${name}.pub`);
      await writeFile(file, data.keys['1']?.public_key ?? '');
      return file;
    };
    const push = async (source: string): Promise<string> => {
      const digest = join(dir, 'digest');
      await podman(
        'push',
        '--quiet',
        '--tls-verify=false',
        `--digestfile=${digest}`,
        source,
        `docker://${repository}:test`,
      );
      return `${repository}@${(await readFile(digest, 'utf8')).trim()}`;
    };

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'kernel-test-signing-'));
      guardFolder(dir);
      built = await testImage();
      const port = await freePort();
      registry = await startChild({
        command: join(imageSigningTools().crane, 'crane'),
        args: ['registry', 'serve', `--address=127.0.0.1:${port}`],
        env: { HOME: dir },
        cwd: dir,
        log: new BoundedLog(join(dir, 'registry.log')),
      });
      await until(
        'the registry answers',
        async () => (await probe(`http://127.0.0.1:${port}/v2/`)).status === 200,
      );
      repository = `127.0.0.1:${port}/illuvrse/kernel`;
      const ca = await DevelopmentCa.open(join(dir, 'openbao-ca'));
      bao = await startOpenBao({ dir: join(dir, 'openbao'), ca, restart: false, throwaway: true });
      await bao.ask('POST', 'sys/mounts/transit', { type: 'transit' });
      for (const name of [KEY, OTHER_KEY]) {
        await bao.ask('POST', `transit/keys/${name}`, { type: 'ecdsa-p256', exportable: false });
      }
      await bao.ask('POST', `sys/policies/acl/${KEY}`, {
        policy: `path "transit/keys/${KEY}" { capabilities = ["read"] }
          path "transit/sign/${KEY}/*" { capabilities = ["update"] }
          path "transit/verify/${KEY}/*" { capabilities = ["update"] }`,
      });
      const { auth } = (await bao.ask('POST', 'auth/token/create', {
        policies: [KEY],
        no_default_policy: true,
        ttl: '30m',
      })) as { auth: { client_token: string } };
      env = {
        PATH: `${imageSigningTools().cosign}:/usr/bin:/bin`,
        HOME: dir,
        VAULT_ADDR: bao.address,
        VAULT_CACERT: bao.caFile,
        VAULT_TOKEN: auth.client_token,
        COSIGN_KEY: `hashivault://${KEY}`,
        COSIGN_PUBLIC_KEY: await publicKey(KEY),
      };
      image = await push(built);
      // With syft of the user's cache, which is not in the folder above.
      await promisify(execFile)(join(workTree(), 'scripts/image/sbom.sh'), [built, join(dir, 'sbom')], {
        maxBuffer: 2 ** 26,
      });
      sbom = join(dir, 'sbom/sbom.spdx.json');
    }, BUILD_MS);
    afterAll(async () => {
      await registry?.stop(0);
      await bao?.stop();
      await rm(dir, { recursive: true, force: true });
      releaseFolder(dir);
    }, 60_000);

    it(
      'is made by the script of the pipeline, with what is in the image',
      async () => {
        const signed = await script([image, sbom]);
        expect(signed).toMatchObject({ code: 0, stdout: `signed and verified: ${image}\n` });
        expect(signed.stdout + signed.stderr).not.toContain(env['VAULT_TOKEN']);
      },
      SIGN_MS,
    );

    it(
      'is accepted with the public key, and is of this digest',
      async () => {
        const accepted = await cosign('verify', OFFLINE, '--key', env['COSIGN_PUBLIC_KEY'] ?? '', image);
        expect(accepted).toMatchObject({ code: 0 });
        expect(accepted.stdout).toContain(image.slice(image.indexOf('sha256:')));
        const attested = await cosign(
          ...['verify-attestation', OFFLINE, '--type', 'spdxjson'],
          ...['--key', env['COSIGN_PUBLIC_KEY'] ?? '', image],
        );
        expect(attested).toMatchObject({ code: 0 });
        const { payload } = JSON.parse(attested.stdout.split('\n')[0] ?? '') as { payload: string };
        const statement = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as {
          subject: { digest: { sha256: string } }[];
          predicate: { packages: { name: string }[] };
        };
        expect(statement.subject[0]?.digest.sha256).toBe(
          image.slice(image.indexOf('sha256:') + 'sha256:'.length),
        );
        expect(statement.predicate.packages.map(({ name }) => name)).toContain('pkcs11js');
      },
      SIGN_MS,
    );

    it(
      'is refused with the key of another',
      async () => {
        const other = await publicKey(OTHER_KEY);
        for (const command of [['verify'], ['verify-attestation', '--type', 'spdxjson']]) {
          const refused = await cosign(...command, OFFLINE, '--key', other, image);
          expect(refused).toMatchObject({
            stdout: '',
            stderr: expect.stringMatching(/signature|attestation/i),
          });
          expect(refused.code).not.toBe(0);
        }
      },
      SIGN_MS,
    );

    it(
      'is refused for an image that was changed',
      async () => {
        const container = (await podman('create', built, '--help')).trim();
        try {
          await podman(
            'commit',
            '--quiet',
            '--change=LABEL changed=true',
            container,
            'localhost/kernel-test-changed',
          );
        } finally {
          await podman('rm', container);
        }
        try {
          const changed = await push('localhost/kernel-test-changed');
          expect(changed).not.toBe(image);
          const refused = await cosign('verify', OFFLINE, '--key', env['COSIGN_PUBLIC_KEY'] ?? '', changed);
          expect(refused).toMatchObject({ stderr: expect.stringMatching(/no (matching )?signatures/) });
          expect(refused.code).not.toBe(0);
        } finally {
          await podman('rmi', 'localhost/kernel-test-changed');
        }
      },
      SIGN_MS,
    );

    it(
      'is not made for a tag, with a key in a file, or with a key that the token may not use',
      async () => {
        expect(await script([`${repository}:test`, sbom])).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('is not NAME@sha256:DIGEST'),
        });
        expect(await script([image, sbom], { COSIGN_KEY: 'cosign.key' })).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('a key that signs images stays in the KMS'),
        });
        const forbidden = await script([image, sbom], { COSIGN_KEY: `hashivault://${OTHER_KEY}` });
        expect(forbidden.code).not.toBe(0);
        expect(forbidden.stderr).toContain('permission denied');
      },
      SIGN_MS,
    );
  },
);
