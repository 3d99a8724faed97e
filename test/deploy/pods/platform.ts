import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chown, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { Client } from 'pg';
import { parse } from 'yaml';
import {
  DevelopmentCa,
  freePort,
  type KafkaServer,
  type OpenBaoServer,
  type S3Credentials,
  type S3Server,
  startKafkaServer,
  startOpenBao,
  startS3Server,
} from '#dev/devstack';
import { MtlsClient, startTestPostgres, TestCa, workTree } from '#dev/testing';
import { type KubeObject } from '../rendered-chart';
import { type PodBridge } from './pod-bridge';
import { type Files } from './pod-volumes';
import { type Endpoint, ServiceRelay } from './service-relay';

type OwnPostgres = Awaited<ReturnType<typeof startTestPostgres>>;

const RELEASE = 'illuvrse-kernel';
const NAMESPACE = `${RELEASE}-production`;
const DAY_MS = 86_400_000;
const POLICIES = join(workTree(), 'k8s/examples/openbao');
const ISSUER = 'https://kubernetes.default.svc';
/** As production's values name them, or as the secrets do. */
const POSTGRES = 'kernel-rw.postgres.svc';
const MARKS = 'kernel-marks-rw.postgres.svc';
const KAFKA = 'kernel-kafka-bootstrap.kafka.svc';
const VAULT = 'vault.vault.svc';
const S3 = 's3.storage.svc';
const BUCKET = 'illuvrse-kernel-production-audit';
const STREAMING = ['outbox-relay', 'indexer', 'archiver', 'log-publisher'];

interface SecretObject {
  readonly objectName: string;
  readonly secretPath: string;
  readonly secretKey: string;
  readonly filePermission: number;
}

/** What the chart expects of others, each a real server: two of PostgreSQL, Kafka, S3 and OpenBao, all over TLS. */
export class Platform {
  private readonly relays: ServiceRelay[] = [];
  readonly hosts = new Map<string, string>();
  /** Every secret that any process is given, to be looked for where none may be. */
  readonly secrets = new Set<string>();
  private readonly tokenKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  private constructor(
    readonly dir: string,
    readonly bridge: PodBridge,
    /** Of the servers of the platform, and of those who call the kernel. */
    private readonly authority: TestCa,
    private readonly callers: TestCa,
    readonly postgres: OwnPostgres,
    private readonly marks: OwnPostgres,
    private readonly kafka: KafkaServer,
    private readonly s3: S3Server,
    private readonly bucketOwner: S3Credentials,
    private readonly bao: OpenBaoServer,
    private readonly vault: MtlsClient,
    private readonly kafkaPasswords: Files,
  ) {}

  static async start(dir: string, bridge: PodBridge): Promise<Platform> {
    const lasting = { notAfter: new Date(Date.now() + 2 * DAY_MS) };
    const authority = await TestCa.create('platform', lasting);
    const callers = await TestCa.create('callers', lasting);
    const kafkaCertificate = await serverCertificate(authority, KAFKA);
    const keystoreFile = join(dir, 'kafka.pem');
    await writeFile(keystoreFile, `${kafkaCertificate.key}\n${kafkaCertificate.cert}\n`, { mode: 0o600 });
    const kafkaPasswords = Object.fromEntries(STREAMING.map((name) => [`kernel-${name}`, password()]));
    const [postgres, marks, kafka, s3, bao] = await Promise.all([
      startTestPostgres(),
      startTestPostgres(),
      startTlsKafka(join(dir, 'kafka'), keystoreFile, kafkaPasswords),
      startS3Server({ dir: join(dir, 's3') }),
      DevelopmentCa.open(join(dir, 'openbao-ca')).then((ca) =>
        startOpenBao({ dir: join(dir, 'openbao'), ca, restart: false, throwaway: true }),
      ),
    ]);
    const owner = await s3.addUser();
    await s3.createBucket(BUCKET, { owner, objectLock: true });
    await useTls(postgres, await serverCertificate(authority, POSTGRES));
    await useTls(marks, await serverCertificate(authority, MARKS));
    const vault = new MtlsClient(bao.address, { ca: bao.caFile, identity: undefined });
    const platform = new Platform(
      ...([
        dir,
        bridge,
        authority,
        callers,
        postgres,
        marks,
        kafka,
        s3,
        owner,
        bao,
        vault,
        kafkaPasswords,
      ] as const),
    );
    await platform.provision();
    await platform.openServices();
    return platform;
  }

  /**
   * What these servers make different from production's values, and nothing else is: one broker that knows SASL PLAIN and not
   * SCRAM, and a bucket that is not Amazon's.
   */
  get values(): object {
    return {
      stream: { sasl: { mechanism: 'plain' }, replicationFactor: 1, minInsyncReplicas: 1 },
      archive: {
        endpoint: `https://${S3}`,
        region: this.s3.region,
        accessKeyId: this.bucketOwner.accessKeyId,
      },
      authorities: { s3: { configMap: 'platform-authorities', key: 's3.crt' } },
    };
  }

  /** Of the platform, which the chart names and does not make. */
  async authorities(): Promise<Files> {
    const platform = this.authority.cert;
    return {
      ...{ 'postgres.crt': platform, 'kafka.crt': platform, 'vault.crt': platform, 's3.crt': platform },
      'callers.crt': this.callers.cert,
      'callers.crl': await this.callers.revocationList([]),
    };
  }

  /** A caller of the service API. */
  async callerCertificate(commonName: string): Promise<{ cert: string; key: string; ca: string }> {
    const { cert, key } = await this.callers.issue({ subject: [{ CN: [commonName] }] });
    return { cert, key, ca: this.callers.cert };
  }

  get callersAuthority(): TestCa {
    return this.callers;
  }

  /** As the API server issues it: signed, for one audience. */
  async token(account: string, audience: string, seconds: number): Promise<string> {
    return new SignJWT({})
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(ISSUER)
      .setSubject(`system:serviceaccount:${NAMESPACE}:${account}`)
      .setAudience(audience)
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime(`${seconds}s`)
      .sign(this.tokenKey.privateKey);
  }

  /** Puts there what a SecretProviderClass names. */
  async store(classes: readonly KubeObject[]): Promise<void> {
    const values = await this.secretValues();
    for (const { metadata, spec } of classes) {
      const component = metadata.name.slice(RELEASE.length + 1);
      const byPath = new Map<string, Record<string, string>>();
      for (const { secretPath, secretKey } of parse(spec.parameters.objects) as SecretObject[]) {
        const value = values(component, secretKey);
        this.secrets.add(value);
        byPath.set(secretPath, { ...byPath.get(secretPath), [secretKey]: value });
      }
      for (const [path, data] of byPath) await this.bao.ask('POST', path, { data });
    }
  }

  /** Reads them as the driver of secrets does: logged in as the pod, with the role of the class. */
  async readClass(
    { spec: { parameters } }: KubeObject,
    account: string,
  ): Promise<Record<string, { text: string; mode: number }>> {
    const jwt = await this.token(account, parameters.audience, 600);
    const login = await this.vault.post(`/v1/auth/${parameters.vaultAuthMountPath}/login`, {
      role: parameters.roleName,
      jwt,
    });
    if (login.status !== 200) throw new Error(`${account} is not let into OpenBao: ${login.text}`);
    const headers = { 'x-vault-token': login.json.auth.client_token as string };
    const files: Record<string, { text: string; mode: number }> = {};
    for (const { objectName, secretPath, secretKey, filePermission } of parse(parameters.objects, {
      // 0440 is octal, as for the driver.
      version: '1.1',
    }) as SecretObject[]) {
      const answer = await this.vault.get(`/v1/${secretPath}`, { headers });
      if (answer.status !== 200) throw new Error(`${account} cannot read ${secretPath}: ${answer.text}`);
      files[objectName] = { text: answer.json.data.data[secretKey] as string, mode: filePermission };
    }
    return files;
  }

  /** Paths of the objects of the archive, whichever bucket folder they are in. */
  async archived(): Promise<string[]> {
    const entries = await readdir(join(this.s3.dataDir, BUCKET), { recursive: true });
    return entries.filter((path) => path.endsWith('.json'));
  }

  /** For the verifier: the archive, and the database. */
  get verifierSources(): { s3: string[]; environment: Files; databaseUrl: string } {
    return {
      s3: ['--s3', `s3://${BUCKET}`, '--s3-endpoint', this.s3.endpoint],
      environment: {
        AWS_REGION: this.s3.region,
        AWS_ACCESS_KEY_ID: this.bucketOwner.accessKeyId,
        AWS_SECRET_ACCESS_KEY: this.bucketOwner.secretAccessKey,
      },
      databaseUrl: this.postgres.ownerUrl,
    };
  }

  /** A Service of the chart or of the platform: a name, and where its connections go. */
  async openService(
    names: readonly string[],
    ports: readonly {
      port: number;
      endpoints: () => readonly Endpoint[];
      tls?: { cert: string; key: string };
    }[],
    onwardCa?: string,
  ): Promise<string> {
    const address = await this.bridge.serviceAddress();
    for (const port of ports) {
      this.relays.push(await ServiceRelay.listen({ address, ...port, ...(onwardCa && { onwardCa }) }));
    }
    for (const name of names) this.hosts.set(name, address);
    return address;
  }

  async stop(): Promise<void> {
    for (const relay of this.relays) await relay.close();
    await this.vault.close();
    await Promise.all([
      this.postgres.stop(),
      this.marks.stop(),
      this.kafka.stop(),
      this.s3.stop(),
      this.bao.stop(),
    ]);
  }

  private async provision(): Promise<void> {
    await this.bao.ask('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
    await this.bao.ask('POST', 'sys/mounts/transit', { type: 'transit' });
    for (const use of ['audit', 'manifest', 'checkpoint']) {
      await this.bao.ask('POST', `transit/keys/kernel-${use}-ed25519-v1`, { type: 'ed25519' });
    }
    // Without an API server that reviews them, tokens are verified by its public key: the same form of login.
    await this.bao.ask('POST', 'sys/auth/kubernetes', { type: 'jwt' });
    await this.bao.ask('POST', 'auth/kubernetes/config', {
      jwt_validation_pubkeys: [this.tokenKey.publicKey.export({ type: 'spki', format: 'pem' })],
      bound_issuer: ISSUER,
    });
    for (const file of await readdir(POLICIES)) {
      if (!file.endsWith('.hcl')) continue;
      const role = `${RELEASE}-${file.slice(0, -'.hcl'.length)}`;
      await this.bao.ask('POST', `sys/policies/acl/${role}`, {
        policy: await readFile(join(POLICIES, file), 'utf8'),
      });
      await this.bao.ask('POST', `auth/kubernetes/role/${role}`, {
        role_type: 'jwt',
        user_claim: 'sub',
        bound_audiences: ['vault'],
        bound_subject: `system:serviceaccount:${NAMESPACE}:${role}`,
        token_policies: [role],
        token_no_default_policy: true,
        token_ttl: '15m',
      });
    }
  }

  private async openServices(): Promise<void> {
    const local = (port: number) => () => [{ host: '127.0.0.1', port }];
    const secured = Number(this.kafka.securedBroker?.split(':')[1]);
    await this.openService([POSTGRES], [{ port: 5432, endpoints: local(this.postgres.port) }]);
    await this.openService([MARKS], [{ port: 5432, endpoints: local(this.marks.port) }]);
    await this.openService([KAFKA], [{ port: 9093, endpoints: local(secured) }]);
    // These two have no names of their own to show: their TLS ends before them.
    await this.openService(
      [S3],
      [{ port: 443, endpoints: local(this.s3.port), tls: await serverCertificate(this.authority, S3) }],
    );
    await this.openService(
      [VAULT],
      [{ port: 8200, endpoints: local(this.bao.port), tls: await serverCertificate(this.authority, VAULT) }],
      await readFile(this.bao.caFile, 'utf8'),
    );
  }

  private async secretValues(): Promise<(component: string, key: string) => string> {
    const rowKey = randomBytes(32).toString('base64');
    const oidc = password();
    const database = (host: string, from: string): string => {
      const url = new URL(from);
      Object.assign(url, { hostname: host, port: '5432' });
      url.search = '?sslmode=verify-full&sslrootcert=/etc/kernel/authorities/postgres.crt';
      return url.href;
    };
    return (component, key) => {
      switch (key) {
        case 'DATABASE_OWNER_URL':
          return database(POSTGRES, this.postgres.ownerUrl);
        case 'DATABASE_URL':
          return database(
            POSTGRES,
            component === 'kernel' ? this.postgres.runtimeUrl : this.postgres.workerUrl,
          );
        case 'KERNEL_SIGNING_MARKS_DATABASE_URL':
          return database(MARKS, this.marks.ownerUrl);
        case 'KERNEL_ROW_KEY':
          return rowKey;
        case 'KERNEL_OIDC_CLIENT_SECRET':
          return oidc;
        case 'S3_SECRET_ACCESS_KEY':
          return this.bucketOwner.secretAccessKey;
        case 'KAFKA_PASSWORD':
          return this.kafkaPasswords[`kernel-${component}`] ?? '';
        default:
          throw new Error(`${component} has a secret "${key}" that nobody here can give`);
      }
    };
  }
}

function password(): string {
  return randomBytes(18).toString('base64url');
}

function serverCertificate(authority: TestCa, host: string): Promise<{ cert: string; key: string }> {
  return authority.issue({
    subject: [{ CN: [host] }],
    usage: 'server',
    names: [{ type: 'dns', value: host }],
    notAfter: new Date(Date.now() + DAY_MS),
  });
}

/** A broker that clients find by the name that its certificate has, with names and passwords. */
async function startTlsKafka(dir: string, keystoreFile: string, users: Files): Promise<KafkaServer> {
  const port = await freePort();
  return startKafkaServer({
    dir,
    port,
    secured: { keystoreFile, users },
    // The plain one is for the broker itself; the name leads to the secured one.
    settings: { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SASL_SSL://${KAFKA}:9093` },
  });
}

/** From now on it takes TLS as well. */
async function useTls(server: OwnPostgres, { cert, key }: { cert: string; key: string }): Promise<void> {
  const data = join(server.dir, 'data');
  const { uid, gid } = await stat(data);
  for (const [name, text] of [
    ['server.crt', cert],
    ['server.key', key],
  ] as const) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await chown(join(data, name), uid, gid);
  }
  const client = new Client({ connectionString: server.superuserUrl });
  await client.connect();
  try {
    await client.query('ALTER SYSTEM SET ssl = on');
    await client.query('SELECT pg_reload_conf()');
  } finally {
    await client.end();
  }
}
