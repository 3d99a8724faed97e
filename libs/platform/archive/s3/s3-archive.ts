import { type GetObjectCommandOutput, type S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { sha256Hex } from '#evidence';
import { type Limiter } from '#platform/resilience';
import { type SigningCredentials } from '#platform/sigv4';
import {
  assertAttemptLimits,
  type AttemptLimits,
  DEFAULT_ATTEMPT_LIMITS,
  FinalFailure,
  withAttempts,
} from './attempts';
import { type BucketAddress, bucketAddress } from './bucket-address';
import { digestBody, type ObjectBody, readBody } from './object-body';
import { ObjectWriter, type PutAnswer, type PutRequest } from './object-writer';
import { archiveErrorOf, isNotAccepted, s3Failure, S3Refusal, type S3Failure } from './s3-failure';
import {
  type Archive,
  type ArchiveObject,
  type ArchiveObserver,
  DEFAULT_PARALLEL,
  type FinishedOperation,
  type ListedObject,
  type ListOptions,
  MAX_VERSIONS,
  type ObjectVersion,
  type PutOutcome,
  type ReplacedObject,
  type Retention,
  type RetentionMode,
  type ServedAs,
} from '../archive';
import { assertArchivable, assertArchiveKey, assertReplaceable } from '../archive-key';
import { ArchiveError, differentObject } from '../archive.error';
import { coverOf } from '../covered-object';
import { observed } from '../observed-operation';
import { closedError, operationLimit } from '../operation-limit';
import {
  assertRetentionPolicy,
  DEFAULT_RETENTION_DAYS,
  keepsAsLongAs,
  retainUntil,
  type RetentionPolicy,
} from '../retention-policy';

export interface S3ArchiveOptions {
  bucket: string;
  region: string;
  /** URL of a server other than AWS; buckets are then addressed by path unless `forcePathStyle` says otherwise. */
  endpoint?: string;
  forcePathStyle?: boolean;
  /** Default: what the platform provides (workload identity, instance role, the AWS variables). */
  credentials?: S3Credentials | RotatingCredentials;
  /** PEM of the CA that signed the endpoint's certificate, when the system does not know it. */
  ca?: string | Buffer;
  /**
   * The lock of each object; `days` defaults to {@link DEFAULT_RETENTION_DAYS}. Null stores without a lock, for a
   * development bucket that has none; `assertProtected` refuses it.
   */
  retention: { mode: RetentionMode; days?: number } | null;
  /** Concurrent operations. Default {@link DEFAULT_PARALLEL}. */
  parallel?: number;
  attempts?: Partial<AttemptLimits>;
  observer?: ArchiveObserver;
}

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Credentials that change while they are used. */
export interface RotatingCredentials {
  /** Those in force. */
  now(): S3Credentials;
  /** Has their source looked at, after they were refused. */
  look(): void;
}

type Sdk = typeof import('@aws-sdk/client-s3');

/** Keys requested at once; S3's own maximum. */
const LIST_PAGE = 1_000;
/**
 * "It exists" and "it does not" in turn can only be a race with a process that hides it; each further round is one more
 * race.
 */
const PUT_ROUNDS = 3;
const CONNECT_TIMEOUT_MS = 3_000;
const SECRETS_KEPT = 6;
/** S3 accepts requests dated up to 15 minutes from its own time; the SDK also ignores smaller differences. */
const CLOCK_SKEW_MS = 5 * 60_000;
const UNLOCKED = new Set(['NoSuchObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError']);

/**
 * An archive in an S3 bucket with versioning and object lock.
 *
 * A put is conditional (`If-None-Match: *`, RFC 9110 section 13.1.2), carries the SHA-256 that the server has to check,
 * and locks the object in the same request. {@link ObjectWriter} sends it, the SDK everything else; both use the SDK's
 * address, credentials and clock.
 */
export class S3Archive implements Archive {
  private readonly limiter: Limiter;
  private readonly closing = new AbortController();
  private readonly limits: AttemptLimits;
  private readonly retentionPolicy: RetentionPolicy | null;
  private readonly secrets = new Set<string>();
  private readonly writer: ObjectWriter;
  private prober: S3Client | undefined;

  private constructor(
    private readonly sdk: Sdk,
    private readonly client: S3Client,
    address: BucketAddress,
    private readonly options: S3ArchiveOptions,
  ) {
    this.limits = { ...DEFAULT_ATTEMPT_LIMITS, ...options.attempts };
    assertAttemptLimits(this.limits);
    this.retentionPolicy =
      options.retention === null ? null : { days: DEFAULT_RETENTION_DAYS, ...options.retention };
    if (this.retentionPolicy !== null) assertRetentionPolicy(this.retentionPolicy);
    this.limiter = operationLimit(options.parallel ?? DEFAULT_PARALLEL);
    this.writer = new ObjectWriter({
      address,
      ca: options.ca,
      connections: this.limiter.limit,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    });
  }

  /** Loads the SDK, which takes a third of a second and 20 MB, only for a bucket. Contacts no server yet. */
  static async open(options: S3ArchiveOptions): Promise<S3Archive> {
    assertOptions(options);
    const sdk = await import('@aws-sdk/client-s3');
    const config = clientConfig(options);
    const address = await bucketAddress(sdk, config, options.bucket);
    return new S3Archive(sdk, new sdk.S3Client(config), address, options);
  }

  async put(object: ArchiveObject): Promise<PutOutcome> {
    assertArchivable(object);
    return this.run('put', () => this.write(object));
  }

  async putDocument(key: string, bytes: Uint8Array): Promise<PutOutcome> {
    return this.put({ key, bytes, sha256: sha256Hex(bytes) });
  }

  async replace({ key, bytes, served }: ReplacedObject): Promise<void> {
    assertReplaceable({ key, bytes });
    const sha256 = sha256Hex(bytes);
    await this.run('replace', async () => {
      const headers = servedAs(served);
      const answer = await this.send({ key, bytes, sha256, headers, replaces: true });
      await this.assertStored(key, sha256, answer.checksumSha256);
    });
  }

  async get(key: string): Promise<Uint8Array | null> {
    assertArchiveKey(key);
    return this.run('get', async () => {
      const found = await this.fetch(key, (body) => readBody(body, key));
      return found === null ? null : found.content;
    });
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ListedObject> {
    let after = options.after;
    for (;;) {
      const page = await this.run('list', () => this.page(prefix, after));
      for (const object of page.objects) {
        if (after !== undefined && !isBehind(object.key, after)) {
          throw new ArchiveError(
            'unsupported',
            `Bucket ${this.options.bucket} lists ${object.key} behind ${after}; the archive needs a store that lists in key order.`,
            { key: object.key, after },
          );
        }
        after = object.key;
        yield object;
      }
      if (!page.more) return;
    }
  }

  async setLegalHold(key: string, on: boolean): Promise<void> {
    assertArchiveKey(key);
    await this.run('legal_hold', () =>
      this.call(`${on ? 'set' : 'lift'} the legal hold on ${key}`, key, (signal) =>
        this.client.send(
          new this.sdk.PutObjectLegalHoldCommand({
            Bucket: this.options.bucket,
            Key: key,
            LegalHold: { Status: on ? 'ON' : 'OFF' },
          }),
          { abortSignal: signal },
        ),
      ),
    );
  }

  async retention(key: string): Promise<Retention | null> {
    assertArchiveKey(key);
    return this.run('retention', async () => {
      const [lock, legalHold] = await Promise.all([this.lockOf(key), this.holdOf(key)]);
      return lock === null || legalHold === null ? null : { ...lock, legalHold };
    });
  }

  async versions(key: string): Promise<ObjectVersion[]> {
    assertArchiveKey(key);
    return this.run('versions', () => this.lookAtVersions(key));
  }

  private async lookAtVersions(key: string): Promise<ObjectVersion[]> {
    const listed = await this.call(`list the versions of ${key}`, key, (abortSignal) =>
      this.client.send(
        new this.sdk.ListObjectVersionsCommand({
          Bucket: this.options.bucket,
          Prefix: key,
          MaxKeys: LIST_PAGE,
        }),
        { abortSignal },
      ),
    );
    // A prefix: longer keys begin with it too.
    const own = <T extends { Key?: string | undefined }>(found: readonly T[] | undefined): T[] =>
      (found ?? []).filter(({ Key }) => Key === key);
    const found = [
      ...own(listed.Versions).map((version) => ({ ...version, isMarker: false })),
      ...own(listed.DeleteMarkers).map((marker) => ({ ...marker, isMarker: true })),
    ].sort(
      (a, b) =>
        Number(b.IsLatest === true) - Number(a.IsLatest === true) ||
        (b.LastModified?.getTime() ?? 0) - (a.LastModified?.getTime() ?? 0),
    );
    const versions: ObjectVersion[] = [];
    for (const { VersionId: id = 'null', LastModified, isMarker } of found.slice(0, MAX_VERSIONS)) {
      const content = isMarker ? null : await this.fetch(key, digestBody, id);
      versions.push({ id, storedAt: LastModified ?? null, sha256: content?.content ?? null });
    }
    return versions;
  }

  async reach(signal: AbortSignal): Promise<void> {
    try {
      await this.probe().send(new this.sdk.HeadBucketCommand({ Bucket: this.options.bucket }), {
        abortSignal: signal,
      });
    } catch (error) {
      const failure = s3Failure(error, [...this.secrets]);
      // A refusal is an answer too, and whoever is refused says so; there is no archive only where there is no bucket.
      if (!failure.passing && failure.status !== 404) return;
      const missing = failure.status === 404;
      throw new ArchiveError(
        missing ? 'bucket_missing' : 'unavailable',
        `Bucket ${this.options.bucket} ${missing ? 'is not there' : 'does not answer'}: ${failure.message} (${failure.name}).`,
        { bucket: this.options.bucket, s3: failure.name, status: failure.status ?? null },
      );
    }
  }

  /** A client with a connection of its own: those of the operations may all hang. */
  private probe(): S3Client {
    this.prober ??= new this.sdk.S3Client({
      ...clientConfig({ ...this.options, parallel: 1 }),
      credentials: this.client.config.credentials,
    });
    return this.prober;
  }

  async assertProtected(): Promise<void> {
    await this.run('assert_protected', async () => {
      const { bucket } = this.options;
      const [versioning, lock] = await Promise.all([
        this.call('read the versioning', undefined, (abortSignal) =>
          this.client.send(new this.sdk.GetBucketVersioningCommand({ Bucket: bucket }), { abortSignal }),
        ),
        this.call(
          'read the object lock configuration',
          undefined,
          (abortSignal) =>
            this.client.send(new this.sdk.GetObjectLockConfigurationCommand({ Bucket: bucket }), {
              abortSignal,
            }),
          (failure) => (UNLOCKED.has(failure.name) ? null : undefined),
        ),
      ]);
      const missing = [
        ...(versioning.Status === 'Enabled' ? [] : ['versioning']),
        ...(lock?.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled' ? [] : ['object lock']),
        ...(this.retentionPolicy === null ? ['a retention for each object'] : []),
      ];
      if (missing.length === 0) return;
      throw new ArchiveError(
        'not_protected',
        `Bucket ${bucket} does not keep what is archived: it lacks ${missing.join(' and ')}. ` +
          'Make a bucket with object lock (which brings versioning) and configure a retention.',
        { bucket, missing },
      );
    });
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.limiter.close(closedError);
    this.client.destroy();
    this.prober?.destroy();
    await this.writer.close();
  }

  private async write(object: ArchiveObject): Promise<PutOutcome> {
    for (let round = 1; ; round++) {
      if (await this.create(object)) return 'stored';
      const there = await this.fetch(object.key, digestBody);
      if (there !== null) {
        if (there.content !== object.sha256) {
          throw (
            (await coverOf({ versions: (key) => this.lookAtVersions(key) }, object.key, object.sha256)) ??
            differentObject(object.key, object.sha256, there.content)
          );
        }
        if (object.locked !== false) await this.ensureLocked(object.key, there.output);
        return 'already';
      }
      if (round >= PUT_ROUNDS) {
        const cover = await coverOf(
          { versions: (key) => this.lookAtVersions(key) },
          object.key,
          object.sha256,
        );
        if (cover !== null) throw cover;
        throw new ArchiveError(
          'object_hidden',
          `Bucket ${this.options.bucket} neither takes ${object.key} nor has it: a delete marker hides it. ` +
            'Find out who deleted it, and remove the marker; the versions below are still there.',
          { bucket: this.options.bucket, key: object.key },
        );
      }
    }
  }

  /** False when the object already exists. */
  private async create({ key, bytes, sha256, locked = true, served }: ArchiveObject): Promise<boolean> {
    const headers = (): Record<string, string> => ({
      ...servedAs(served),
      ...(locked ? this.lockFromNow() : {}),
    });
    const answer = await this.send({ key, bytes, sha256, headers }, (failure) =>
      failure.status === 412 ? null : undefined,
    );
    if (answer === null) return false;
    await this.assertStored(key, sha256, answer.checksumSha256);
    return true;
  }

  /** One put with its retries. Headers as a function are those of each attempt's own time. */
  private async send<E = never>(
    {
      headers,
      ...put
    }: Pick<PutRequest, 'key' | 'bytes' | 'sha256' | 'replaces'> & {
      headers: Record<string, string> | (() => Record<string, string>);
    },
    expected: (failure: S3Failure) => E | undefined = () => undefined,
  ): Promise<PutAnswer | E> {
    return this.call(
      `store ${put.key}`,
      put.key,
      async (signal, credentials) => {
        const at = new Date(Date.now() + this.client.config.systemClockOffset);
        const given = typeof headers === 'function' ? headers() : headers;
        try {
          return await this.writer.put({ ...put, headers: given, credentials, at, signal });
        } catch (error) {
          if (error instanceof S3Refusal) this.correctClock(error.$response.headers['date']);
          throw error;
        }
      },
      expected,
    );
  }

  /** A server that does not confirm the checksum may not have looked at it. */
  private async assertStored(key: string, sha256: string, confirmed: string | undefined): Promise<void> {
    if (confirmed === Buffer.from(sha256, 'hex').toString('base64')) return;
    const stored = await this.fetch(key, digestBody);
    if (stored?.content === sha256) return;
    throw new ArchiveError(
      'corrupt_object',
      `Bucket ${this.options.bucket} stored ${key} with SHA-256 ${stored?.content ?? '(nothing)'} instead of ${sha256}.`,
      { bucket: this.options.bucket, key, expected: sha256, found: stored?.content ?? null },
    );
  }

  private lockFromNow(): Record<string, string> {
    if (this.retentionPolicy === null) return {};
    return {
      'x-amz-object-lock-mode': this.retentionPolicy.mode,
      'x-amz-object-lock-retain-until-date': retainUntil(this.retentionPolicy, new Date()).toISOString(),
    };
  }

  /** Corrects the clock by the server's time, as the SDK does after its own requests. */
  private correctClock(date: string | undefined): void {
    const { config } = this.client;
    const offset = Date.parse(date ?? '') - Date.now();
    if (Math.abs(offset - config.systemClockOffset) >= CLOCK_SKEW_MS) config.systemClockOffset = offset;
  }

  /**
   * An existing object may lack its lock: some servers store first and lock later, and may have died in between. It
   * gets the lock that it should have had; a lock is only ever made longer.
   */
  private async ensureLocked(key: string, found: GetObjectCommandOutput): Promise<void> {
    const policy = this.retentionPolicy;
    if (policy === null) return;
    const storedAt = found.LastModified ?? new Date();
    // Not every server returns the lock with the object, and none does to a caller without the right.
    const lock =
      found.ObjectLockMode === undefined
        ? await this.lockOf(key)
        : { mode: found.ObjectLockMode, retainUntil: found.ObjectLockRetainUntilDate ?? null };
    if (lock === null || keepsAsLongAs(lock, policy, storedAt)) return;
    const until = retainUntil(policy, new Date());
    await this.call(
      `lock ${key}, which was stored with ${lock.mode === null ? 'no lock' : `${lock.mode} until ${lock.retainUntil?.toISOString()}`},`,
      key,
      (abortSignal) =>
        this.client.send(
          new this.sdk.PutObjectRetentionCommand({
            Bucket: this.options.bucket,
            Key: key,
            Retention: { Mode: policy.mode, RetainUntilDate: until },
          }),
          { abortSignal },
        ),
      (failure) => {
        if (failure.status !== 403) return undefined;
        throw new ArchiveError(
          'not_protected',
          `${key} is archived with the right bytes, but locked with ${lock.mode ?? 'nothing'} until ` +
            `${lock.retainUntil?.toISOString() ?? 'never'} instead of ${policy.mode} until ${until.toISOString()}, and the ` +
            'credentials may not change that. Lock it with an account that may, then go on.',
          { bucket: this.options.bucket, key, missing: ['retention'] },
          { cause: failure },
        );
      },
    );
  }

  /** Null when there is no such object. */
  private async lockOf(
    key: string,
  ): Promise<{ mode: RetentionMode | null; retainUntil: Date | null } | null> {
    const answer = await this.call(
      `read the retention of ${key}`,
      key,
      (abortSignal) =>
        this.client.send(new this.sdk.GetObjectRetentionCommand({ Bucket: this.options.bucket, Key: key }), {
          abortSignal,
        }),
      withoutLock,
    );
    if (answer === null) return null;
    if (answer === 'unlocked') return { mode: null, retainUntil: null };
    return {
      mode: answer.Retention?.Mode ?? null,
      retainUntil: answer.Retention?.RetainUntilDate ?? null,
    };
  }

  private async holdOf(key: string): Promise<boolean | null> {
    const answer = await this.call(
      `read the legal hold on ${key}`,
      key,
      (abortSignal) =>
        this.client.send(new this.sdk.GetObjectLegalHoldCommand({ Bucket: this.options.bucket, Key: key }), {
          abortSignal,
        }),
      withoutLock,
    );
    if (answer === null) return null;
    return answer !== 'unlocked' && answer.LegalHold?.Status === 'ON';
  }

  /** The object; `consume` reads its content within the attempt; null when there is none. */
  private async fetch<T>(
    key: string,
    consume: (body: ObjectBody) => Promise<T>,
    version?: string,
  ): Promise<{ output: GetObjectCommandOutput; content: T } | null> {
    return this.call(
      `read ${key}`,
      key,
      async (abortSignal) => {
        const output = await this.client.send(
          new this.sdk.GetObjectCommand({
            Bucket: this.options.bucket,
            Key: key,
            ...(version === undefined ? {} : { VersionId: version }),
            ChecksumMode: 'ENABLED',
          }),
          { abortSignal },
        );
        return { output, content: await consume(output.Body as unknown as ObjectBody) };
      },
      (failure) => (failure.name === 'NoSuchKey' ? null : undefined),
    );
  }

  /** Requests a page by the last key before it, so that a listing of any length can be resumed. */
  private async page(
    prefix: string,
    after: string | undefined,
  ): Promise<{ objects: ListedObject[]; more: boolean }> {
    const answer = await this.call('list the archive', undefined, (abortSignal) =>
      this.client.send(
        new this.sdk.ListObjectsV2Command({
          Bucket: this.options.bucket,
          Prefix: prefix,
          MaxKeys: LIST_PAGE,
          ...(after === undefined ? {} : { StartAfter: after }),
        }),
        { abortSignal },
      ),
    );
    const objects = (answer.Contents ?? []).map(({ Key, Size }) => ({ key: Key ?? '', size: Size ?? 0 }));
    return { objects, more: answer.IsTruncated === true && objects.length > 0 };
  }

  /**
   * One request with its retries. `expected` turns a failure that is an answer into a value; undefined leaves it an
   * error.
   */
  private async call<T>(
    doing: string,
    key: string | undefined,
    attempt: (signal: AbortSignal, credentials: SigningCredentials) => Promise<T>,
  ): Promise<T>;
  private async call<T, E>(
    doing: string,
    key: string | undefined,
    attempt: (signal: AbortSignal, credentials: SigningCredentials) => Promise<T>,
    expected: (failure: S3Failure) => E | undefined,
  ): Promise<T | E>;
  private async call<T, E>(
    doing: string,
    key: string | undefined,
    attempt: (signal: AbortSignal, credentials: SigningCredentials) => Promise<T>,
    expected?: (failure: S3Failure) => E | undefined,
  ): Promise<T | E> {
    try {
      return await withAttempts(
        {
          limits: this.limits,
          closing: this.closing.signal,
          secrets: () => [...this.secrets],
          mayPass: (failure) => this.mayBeRotated(failure),
        },
        async (signal) => attempt(signal, await this.credentials()),
      );
    } catch (error) {
      if (!(error instanceof FinalFailure)) throw error;
      const answer = expected?.(error.failure);
      if (answer !== undefined) return answer;
      throw archiveErrorOf(error.failure, {
        doing,
        bucket: this.options.bucket,
        ...(key === undefined ? {} : { key }),
        attempts: error.attempts,
      });
    }
  }

  /** The SDK keeps the credentials until they expire; this returns the current ones, which no error may show. */
  private async credentials(): Promise<SigningCredentials> {
    const credentials = await this.client.config.credentials();
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    for (const secret of [accessKeyId, secretAccessKey, sessionToken]) {
      if (secret !== undefined) this.secrets.add(secret);
    }
    // A request may still be running with the previous credentials; older ones are worthless.
    for (const old of [...this.secrets].slice(0, -SECRETS_KEPT)) this.secrets.delete(old);
    return credentials;
  }

  /** Credentials that change may be refused between the change at the server and that of their files. */
  private mayBeRotated(failure: S3Failure): boolean {
    const { credentials } = this.options;
    if (credentials === undefined || !('look' in credentials) || !isNotAccepted(failure)) return false;
    credentials.look();
    return true;
  }

  private run<T>(operation: FinishedOperation['operation'], job: () => Promise<T>): Promise<T> {
    return this.limiter.run(() => observed(this.options.observer, operation, job));
  }
}

/** In the order of S3's lists: by the bytes of the keys in UTF-8. */
function isBehind(key: string, other: string): boolean {
  return Buffer.compare(Buffer.from(key), Buffer.from(other)) > 0;
}

/** Null: no such object. `unlocked`: the object, or its bucket, has no lock. */
function withoutLock(failure: S3Failure): null | 'unlocked' | undefined {
  if (failure.name === 'NoSuchKey') return null;
  if (UNLOCKED.has(failure.name)) return 'unlocked';
  // A bucket without object lock: InvalidRequest with these words (S3 API reference, GetObjectRetention).
  return /missing object\s*lock\s*configuration/i.test(failure.message) ? 'unlocked' : undefined;
}

function assertOptions({ bucket, endpoint }: S3ArchiveOptions): void {
  // S3 user guide, "General purpose bucket naming rules".
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw new ArchiveError('invalid_options', `${JSON.stringify(bucket)} is not the name of a bucket.`);
  }
  if (endpoint === undefined) return;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new ArchiveError('invalid_options', 'The endpoint of the archive is not an http(s) URL.');
  }
  if (url.username !== '' || url.password !== '') {
    throw new ArchiveError(
      'invalid_options',
      'The endpoint of the archive has credentials in its URL; give them as credentials.',
    );
  }
}

/** How the SDK is set up for a bucket. */
export function clientConfig(options: S3ArchiveOptions): S3ClientConfig {
  const sockets = options.parallel ?? DEFAULT_PARALLEL;
  const agent = { keepAlive: true, maxSockets: sockets };
  return {
    region: options.region,
    // attempts.ts counts and times attempts, and distinguishes their errors.
    maxAttempts: 1,
    // Only on request: puts bring their own SHA-256.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // Regions change by configuration only: a redirect would take the archive elsewhere.
    followRegionRedirects: false,
    ...(options.endpoint === undefined
      ? {}
      : { endpoint: options.endpoint, forcePathStyle: options.forcePathStyle ?? true }),
    ...credentialsFor(options.credentials),
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      httpAgent: agent,
      httpsAgent: options.ca === undefined ? agent : { ...agent, ca: options.ca },
    },
  };
}

function credentialsFor(given: S3ArchiveOptions['credentials']): Pick<S3ClientConfig, 'credentials'> {
  if (given === undefined) return {};
  if (!('look' in given)) return { credentials: { ...given } };
  // The SDK asks again for each request once they are about to expire, and keeps those that do not expire.
  return { credentials: () => Promise.resolve({ ...given.now(), expiration: new Date() }) };
}

function servedAs(served: ServedAs | undefined): Record<string, string> {
  if (served === undefined) return {};
  return { 'content-type': served.contentType, 'cache-control': served.cacheControl };
}
