import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { defineConfig, loadConfig, text, url } from '#platform/process';
import { type S3Credentials, type S3Server, s3ServerMissing, startS3Server } from '#dev/devstack';
import { describeWith } from './describe-with';

/** How a test reaches a real S3 server. */
interface TestS3Access {
  readonly endpoint: string;
  readonly region: string;
  /** May do everything that the server allows anyone. */
  readonly root: S3Credentials;
}

export interface TestBucket {
  readonly name: string;
  /**
   * Owns the bucket. On the server that tests start, it cannot lift a GOVERNANCE retention; on one that was named by
   * S3_ENDPOINT it is the account that was given.
   */
  readonly owner: S3Credentials;
}

export type BucketProtection = 'object-lock' | 'versioning' | 'none';

export interface TestS3 extends TestS3Access {
  /** The server's process and folder; undefined when S3_ENDPOINT names another one. */
  readonly server: S3Server | undefined;
  /** A new bucket, by default with object lock (which includes versioning). */
  createBucket(protection?: BucketProtection): Promise<TestBucket>;
  /** A plain client, for what the archive never does. Closed by `stop`. */
  client(credentials: S3Credentials, options?: S3ClientConfig): S3Client;
  /** Removes the server and its folder. What lies on a server elsewhere stays until its retention is over. */
  stop(): Promise<void>;
}

const settings = defineConfig({
  S3_ENDPOINT: {
    schema: url('http', 'https').optional(),
    description: 'Run the S3 tests against this server (object lock, versioning) instead of starting one.',
  },
  S3_REGION: { schema: text(), default: 'us-east-1', description: 'Region of that server.' },
  S3_ACCESS_KEY_ID: {
    schema: text().optional(),
    description: 'Credentials for that server; they have to be allowed to make buckets.',
  },
  S3_SECRET_ACCESS_KEY: { schema: text().optional(), secret: true, description: 'Their secret.' },
});

/** The server that S3_ENDPOINT names, or null. */
function namedServer(): TestS3Access | null {
  const { s3Endpoint, s3Region, s3AccessKeyId, s3SecretAccessKey } = loadConfig(settings);
  if (s3Endpoint === undefined) return null;
  if (s3AccessKeyId === undefined || s3SecretAccessKey === undefined) {
    throw new Error(
      'S3_ENDPOINT is set; set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY too, or none of them.',
    );
  }
  return {
    endpoint: s3Endpoint,
    region: s3Region,
    root: { accessKeyId: s3AccessKeyId, secretAccessKey: s3SecretAccessKey },
  };
}

/** Why the tests with a real S3 server cannot run here, or null when they can. */
export function s3Missing(): string | null {
  return loadConfig(settings).s3Endpoint === undefined ? s3ServerMissing() : null;
}

/**
 * A suite that needs a real S3 server (describeWith).
 * `own`: it needs a server that the test may kill, and its files; S3_ENDPOINT is then no help (`startTestS3({ own })`),
 * and no more than a reason to skip.
 */
export function describeWithS3(name: string, suite: () => void, { own = false } = {}): void {
  const missing = own ? s3ServerMissing() : s3Missing();
  const isNamed = loadConfig(settings).s3Endpoint !== undefined;
  describeWith({ missing, isNamed }, name, suite);
}

export interface TestS3Options {
  /** A server of the test's own, whatever S3_ENDPOINT says. */
  own?: boolean;
  /** Start it again when it is killed; default true. */
  restart?: boolean;
}

/** A real S3 server in a temp folder on a free port, or the one that S3_ENDPOINT names. */
export async function startTestS3(options: TestS3Options = {}): Promise<TestS3> {
  const named = options.own === true ? null : namedServer();
  if (named !== null) return await testS3(named, undefined, async () => undefined);
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-s3-'));
  const removeDir = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    const server = await startS3Server({ dir, restart: options.restart ?? true });
    return await testS3(server, server, async () => {
      await server.stop();
      await removeDir();
    });
  } catch (error) {
    await removeDir();
    throw error;
  }
}

/** One server for a test file, as withPostgres does it for a database. */
export function withS3(options: TestS3Options = {}): () => TestS3 {
  let server: TestS3 | undefined;
  beforeAll(async () => {
    server = await startTestS3(options);
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
  }, 60_000);
  return () => {
    if (server === undefined) throw new Error('withS3: only usable inside tests and hooks');
    return server;
  };
}

async function testS3(
  access: TestS3Access,
  server: S3Server | undefined,
  end: () => Promise<void>,
): Promise<TestS3> {
  // Loaded here: it takes as long as all else together, and most tests need none of it.
  const sdk = await import('@aws-sdk/client-s3');
  const { endpoint, region, root } = access;
  const clients: S3Client[] = [];
  const client = (credentials: S3Credentials, options: S3ClientConfig = {}): S3Client => {
    const made = new sdk.S3Client({ endpoint, region, forcePathStyle: true, credentials, ...options });
    clients.push(made);
    return made;
  };
  const asRoot = client(root);
  return {
    endpoint,
    region,
    root,
    server,
    client,
    async createBucket(protection = 'object-lock') {
      const name = `test-${randomBytes(8).toString('hex')}`;
      const objectLock = protection === 'object-lock';
      let owner = root;
      if (server === undefined) {
        await asRoot.send(
          new sdk.CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: objectLock }),
        );
      } else {
        owner = await server.addUser();
        await server.createBucket(name, { owner, objectLock });
      }
      if (protection === 'versioning') {
        const VersioningConfiguration = { Status: 'Enabled' } as const;
        await asRoot.send(new sdk.PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }));
      }
      return { name, owner };
    },
    async stop() {
      for (const made of clients) made.destroy();
      await end();
    },
  };
}
