import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithSoftHsm, TestCa, type TestStack, withStack, workTree } from '#dev/testing';

interface Row {
  criterion: string;
  check: string;
  verdict: 'passed' | 'failed' | 'not checked';
  evidence: string;
}
interface Run {
  code: number;
  stdout: string;
  stderr: string;
  rows: Row[];
}

/** What `./kernel up` writes to kernel.env, of this stack. */
function environmentOf(stack: TestStack): Record<string, string> {
  const { identities } = stack;
  const variables: Record<string, string> = {
    KERNEL_API_URL: stack.kernels[0]?.apiUrl ?? '',
    KERNEL_MANAGEMENT_URL: stack.kernels[0]?.managementUrl ?? '',
    KERNEL_SIGNING_PROXY_URL: stack.signingProxyUrl,
    KERNEL_CA_CERT: identities.caCert,
    KERNEL_WEB_URL: stack.web?.origin ?? '',
    KERNEL_OIDC_ISSUER: stack.web?.issuer ?? '',
    KERNEL_ARCHIVE_DIR: stack.archive.environment.KERNEL_ARCHIVE_DIR ?? '',
    KERNEL_ALLOW_SOFTHSM: 'true',
    ACCEPTANCE_PERSON: 'auditor',
  };
  for (const [name, { cert, key }] of Object.entries(identities.callers)) {
    variables[`KERNEL_${name}_CERT`] = cert;
    variables[`KERNEL_${name}_KEY`] = key;
  }
  for (const [n, { id, approvalKey, tls }] of identities.approvers.entries()) {
    const approver = { ID: id, KEY: approvalKey, CERT: tls.cert, TLS_KEY: tls.key };
    for (const [member, value] of Object.entries(approver))
      variables[`KERNEL_APPROVER_${n + 1}_${member}`] = value;
  }
  return variables;
}

/** Runs the program as an operator does, with nothing in the environment but what is given. */
function accept(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      '/bin/sh',
      [join(workTree(), 'scripts', 'acceptance.sh'), ...args],
      {
        env: { PATH: `${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`, ...environment },
        cwd: tmpdir(),
      },
      (error, stdout, stderr) => {
        const rows = args.includes('--json') && stdout !== '' ? (JSON.parse(stdout).checks as Row[]) : [];
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr, rows });
      },
    );
  });
}

const failedOf = ({ rows }: Run) =>
  rows.filter(({ verdict }) => verdict === 'failed').map(({ check }) => check);
const rowOf = ({ rows }: Run, check: string) => rows.find((row) => row.check === check);

describeWithSoftHsm('the acceptance of a deployment', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'archiver'],
    signer: 'pkcs11',
    people: true,
  });
  let folder: string;
  let environment: Record<string, string>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-acceptance-'));
    environment = environmentOf(stack());
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const written = async (name: string, text: string, mode = 0o600): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, text, { mode });
    return file;
  };
  /** A kubectl whose cluster has these objects. */
  const kubectl = async (secrets: object[], workloads: object[]): Promise<string> => {
    const lists = { secrets: { items: secrets }, workloads: { items: workloads } };
    const [s, w] = await Promise.all(
      Object.entries(lists).map(([name, list]) => written(`${name}.json`, JSON.stringify(list))),
    );
    return written('kubectl', `#!/bin/sh\ncase $2 in secrets*) cat '${s}' ;; *) cat '${w}' ;; esac\n`, 0o700);
  };

  it('is met by a whole one, and says what it could not look at', async () => {
    const run = await accept(['--json'], environment);
    expect(run.rows.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
    expect(run.code).toBe(0);
    const left = run.rows.filter(({ verdict }) => verdict === 'not checked').map(({ check }) => check);
    expect(left).toEqual([
      'no private keys in Secrets and ConfigMaps',
      'no private keys in the environment of pods',
      'protected branches',
      'runbooks',
    ]);
    expect(rowOf(run, 'signature verifies offline')?.evidence).toContain('a changed manifest is refused');
    expect(rowOf(run, 'chain verifies offline')?.evidence).toContain('Audit chain verified. Head hash:');
    expect(rowOf(run, 'an upgrade by quorum')?.evidence).toContain('(3 of 5)');
    expect(rowOf(run, 'keys are in an HSM or KMS')?.evidence).toContain('softhsm');
    expect(rowOf(run, 'a person signs in')?.evidence).toContain('with the roles Auditor');
    expect(rowOf(run, 'without a certificate')?.evidence).toContain('handshake is refused');
  });

  it('prints a table, and fails with --strict for what it could not look at', async () => {
    const run = await accept(['--strict'], environment);
    expect(run.code).toBe(1);
    expect(run.stdout).toContain('| criterion | check | verdict | evidence |');
    expect(run.stdout).toMatch(/\n\d+ passed, 0 failed, 4 not checked\n$/);
  });

  it('is not met when nothing gets into the archive', async () => {
    await stack().worker('archiver').process.kill();
    try {
      const run = await accept(['--json', '--wait', '6'], environment);
      expect(run.code).toBe(1);
      expect(failedOf(run)).toEqual(['archived', 'Kernel-Await: archived', 'archive verifies offline']);
      expect(rowOf(run, 'archived')?.evidence).toMatch(/^archived up to 0:\d+ only, the event is 0:\d+$/);
    } finally {
      await stack().worker('archiver').process.start();
      await stack().whenReady();
    }
  });

  it('is not met when a certificate has another role than it should', async () => {
    const { OPERATOR, NOROLE } = stack().identities.callers;
    const swapped = { KERNEL_AUDITOR_CERT: OPERATOR.cert, KERNEL_AUDITOR_KEY: OPERATOR.key };
    const writes = await accept(['--json'], { ...environment, ...swapped });
    expect([writes.code, failedOf(writes)]).toEqual([1, ['certificate of Auditor']]);
    expect(rowOf(writes, 'certificate of Auditor')?.evidence).toContain('append events: 400 instead of 403');
    const less = { KERNEL_SUPERADMIN_CERT: NOROLE.cert, KERNEL_SUPERADMIN_KEY: NOROLE.key };
    const refused = await accept(['--json'], { ...environment, ...less });
    expect([refused.code, failedOf(refused)]).toEqual([1, ['certificate of SuperAdmin']]);
  });

  it('is not met by a server whose certificate is of another authority', async () => {
    const other = await TestCa.create();
    const ca = await written('other-ca.pem', other.cert);
    const run = await accept(
      ['--json', '--ca', ca, '--web-ca', environment.KERNEL_CA_CERT ?? ''],
      environment,
    );
    expect(run.code).toBe(1);
    expect(rowOf(run, 'POST /kernel/sign')).toMatchObject({
      verdict: 'failed',
      evidence: expect.stringMatching(/certificate/i),
    });
    expect(rowOf(run, 'without a certificate')?.verdict).toBe('failed');
    expect(rowOf(run, '/health')?.verdict).toBe('passed');
  });

  it('is not met by the keys of another kernel', async () => {
    const { json: signers } = await stack().client('OPERATOR').get('/kernel/keys/signers.json');
    for (const signer of signers.signers) {
      const { publicKey } = generateKeyPairSync('ed25519');
      signer.public_key_pem = publicKey.export({ type: 'spki', format: 'pem' });
    }
    const file = await written('other-signers.json', JSON.stringify(signers));
    const run = await accept(['--json', '--signers', file], environment);
    expect(run.code).toBe(1);
    expect(failedOf(run)).toEqual(
      expect.arrayContaining([
        'signature verifies offline',
        'chain verifies offline',
        'archive verifies offline',
      ]),
    );
  });

  it('is not met where SoftHSM is not taken for an HSM, nor where sign-in leads elsewhere', async () => {
    const run = await accept(['--json', '--oidc-issuer', stack().web?.origin ?? ''], {
      ...environment,
      KERNEL_ALLOW_SOFTHSM: '',
    });
    expect(failedOf(run)).toEqual(['keys are in an HSM or KMS', 'sign-in by OpenID Connect']);
    expect(rowOf(run, 'keys are in an HSM or KMS')?.evidence).toContain('is kept as "softhsm"');
  });

  describe('in a cluster', () => {
    const inCluster = (program: string, ...args: string[]) =>
      accept(['--json', '--namespace', 'illuvrse-kernel-test', '--kubectl', program, ...args], environment);
    const SECRETS = 'no private keys in Secrets and ConfigMaps';
    const PODS = 'no private keys in the environment of pods';
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const pod = (env: object[]) => ({
      kind: 'Pod',
      metadata: { name: 'kernel-0' },
      spec: { containers: [{ name: 'kernel', env }] },
    });
    const tls = async () => ({
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: { name: 'kernel-tls' },
      data: { 'tls.key': base64(await readFile(stack().identities.kernelServer.key, 'utf8')) },
    });

    it('takes the keys for TLS that it is told of, and no other', async () => {
      const program = await kubectl([await tls()], [pod([{ name: 'NODE_ENV', value: 'production' }])]);
      const run = await inCluster(program, '--tls-secret', 'kernel-tls');
      expect([run.code, failedOf(run)]).toEqual([0, []]);
      expect(rowOf(run, SECRETS)?.evidence).toContain('1 for TLS in kernel-tls, none of which signs');
      expect(failedOf(await inCluster(program))).toEqual([SECRETS]);
    });

    it('finds keys in every form, and in the environment of a pod', async () => {
      const { privateKey } = generateKeyPairSync('ed25519');
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const der = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
      const forms = {
        'a.pem': base64(`x=1\n${pem}`),
        'b.der': der,
        'c.jwk': base64(JSON.stringify(privateKey.export({ format: 'jwk' }))),
        'd.txt': base64(der),
      };
      const secret = { kind: 'Secret', type: 'Opaque', metadata: { name: 'odd' }, data: forms };
      const config = { kind: 'ConfigMap', metadata: { name: 'map' }, data: { e: pem, harmless: 'text' } };
      const program = await kubectl([secret, config], [pod([{ name: 'SIGNING_KEY', value: pem }])]);
      const run = await inCluster(program);
      expect(failedOf(run)).toEqual([SECRETS, PODS]);
      for (const place of [
        'Secret odd, a.pem',
        'Secret odd, b.der',
        'Secret odd, c.jwk',
        'Secret odd, d.txt',
        'ConfigMap map, e',
      ]) {
        expect(rowOf(run, SECRETS)?.evidence).toContain(place);
      }
      expect(rowOf(run, PODS)?.evidence).toContain('Pod kernel-0, container kernel, SIGNING_KEY');
      expect(run.stdout).not.toContain('BEGIN PRIVATE KEY');
    });

    it('fails where it may not look, and where there is nothing', async () => {
      const forbidden = await written(
        'kubectl-forbidden',
        '#!/bin/sh\necho "Error: forbidden" >&2; exit 1\n',
        0o700,
      );
      const run = await inCluster(forbidden);
      expect(failedOf(run)).toEqual([SECRETS, PODS]);
      expect(rowOf(run, PODS)?.evidence).toContain('forbidden');
      expect(failedOf(await inCluster(await kubectl([], [])))).toEqual([PODS]);
    });
  });

  it.each([
    [['--nonsense'], 'nonsense'],
    [['http://localhost:1'], 'has to begin with https://'],
    [['https://a', 'https://b'], 'one URL, not 2'],
    [['--wait', 'soon'], '--wait has to be a whole number'],
    [['--ca', '/does/not/exist'], 'there is no file /does/not/exist'],
    [['--auditor-cert', '/a', '--archive-dir', '/b', '--s3', 's3://b'], '--archive-dir or --s3, not both'],
  ])('says what is wrong with the use: %j', async (args, sentence) => {
    const run = await accept(args, environment);
    expect([run.code, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toContain(sentence);
  });
});
