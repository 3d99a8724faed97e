import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { agent } from 'supertest';
import { request } from 'undici';
import {
  ARCHIVE_DAY,
  type ArchiveDay,
  AUDIT_REPORT,
  auditSigningInput,
  documentPayload,
  documentSigningInput,
  dssePae,
  MANIFEST_PAYLOAD_TYPE,
  manifestStatement,
  rawKeyOfPem,
  sha256Hex,
  signerPossessionInput,
} from '#evidence';
import { createLogger } from '#platform/process';
import {
  type GuardOptions,
  type KeyInfo,
  SIGNING_PURPOSES,
  type SigningBackend,
  SigningProxyClient,
  SoftwareBackend,
} from '#platform/signer';
import { TestCa, type TestCertificate } from '#dev/testing';
import { type SigningClient } from './clients/signing-clients';
import { type MadeKeys } from './keys/made-keys';
import { type MarkStore } from './marks/mark-store';
import { type RunningSigningProxy, startSigningProxy } from './start-signing-proxy';

export const ORIGIN = 'kernel.example.com/test';
/** Number of shards of the kernel that the fixture's proxy signs for. */
export const SHARDS = 4;
export const AUDIT = 'proxy-audit-v1';
export const MANIFEST = 'proxy-manifest-v1';
export const CHECKPOINT = 'proxy-checkpoint-v1';

export interface WireItem {
  purpose: string;
  kid: string;
  input: string;
}

export const auditInput = (seq = 1, origin = ORIGIN, shard = 0, hash = 'ab'.repeat(32)): Uint8Array =>
  auditSigningInput({ origin, shard, seq, hash });

export const statement = (origin = ORIGIN): Uint8Array =>
  manifestStatement({
    manifestId: 'release-7',
    version: '1.2.0',
    kind: null,
    origin,
    signedAt: '2026-01-31T10:00:00.000Z',
    requestedBy: 'deployer',
    division: null,
    auditSeqAfter: '0:41',
    sha256: 'cd'.repeat(32),
  });

export const manifestInput = (origin = ORIGIN): Uint8Array =>
  dssePae(MANIFEST_PAYLOAD_TYPE, statement(origin));

export const archiveDay = (origin = ORIGIN, shard = 0): ArchiveDay => ({
  origin,
  shard,
  day: '2026-01-31',
  count: 41,
  first: { seq: 1, hash: 'ab'.repeat(32) },
  last: { seq: 41, hash: 'cd'.repeat(32) },
  previous: null,
  signedAt: '2026-02-01T00:05:00.000Z',
});

export const archiveDayInput = (origin = ORIGIN, shard = 0): Uint8Array =>
  documentSigningInput(ARCHIVE_DAY, documentPayload(ARCHIVE_DAY, archiveDay(origin, shard)));

export const auditReportInput = (origin = ORIGIN): Uint8Array =>
  documentSigningInput(
    AUDIT_REPORT,
    documentPayload(AUDIT_REPORT, {
      origin,
      id: '0198f4c2-1b2a-7000-8000-000000000001',
      startedAt: '2026-02-01T02:00:00.000Z',
      verdict: 'findings',
      events: 41,
      findings: 1,
      report: { sha256: 'ef'.repeat(32), size: 700 },
      signedAt: '2026-02-01T02:00:07.000Z',
    }),
  );

/** The proof that a key of the backend is held, to replace another. */
export const possessionItem = (
  key: Pick<KeyInfo, 'kid' | 'publicKeyPem'>,
  { kid = key.kid, origin = ORIGIN }: { kid?: string; origin?: string } = {},
): WireItem => ({
  purpose: 'signer-possession',
  kid,
  input: base64(
    signerPossessionInput({
      origin,
      replaces: AUDIT,
      kid: key.kid,
      publicKeySha256: sha256Hex(rawKeyOfPem(key.publicKeyPem)),
    }),
  ),
});

export const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');

export const auditItem = (input: Uint8Array | string = auditInput()): WireItem => ({
  purpose: 'audit-event',
  kid: AUDIT,
  input: base64(input),
});

export const manifestItem = (input: Uint8Array | string = manifestInput()): WireItem => ({
  purpose: 'manifest',
  kid: MANIFEST,
  input: base64(input),
});

export const archiveDayItem = (input: Uint8Array | string = archiveDayInput()): WireItem => ({
  purpose: 'archive-day',
  kid: CHECKPOINT,
  input: base64(input),
});

export const auditReportItem = (input: Uint8Array | string = auditReportInput()): WireItem => ({
  purpose: 'audit-report',
  kid: CHECKPOINT,
  input: base64(input),
});

/** JSON of any shape; where it is an answer, the OpenAPI document has checked it before a test looks into it. */
type AnyJson = ReturnType<typeof JSON.parse>;

export interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: AnyJson;
}

export interface ProxyFixture {
  readonly dir: string;
  readonly ca: TestCa;
  readonly proxy: RunningSigningProxy;
  readonly url: string;
  readonly backend: SigningBackend;
  /** Every log line, parsed. */
  readonly logs: Record<string, AnyJson>[];
  as(commonName: string): Promise<TestCertificate>;
  /** Sends a request and checks the answer against openapi/signing-proxy.yaml. */
  call(options: CallOptions): Promise<Answer>;
  sign(items: unknown, client?: TestCertificate): Promise<Answer>;
  client(options?: Partial<ConstructorParameters<typeof SigningProxyClient>[0]>): SigningProxyClient;
  metric(name: string): Promise<number>;
  management(path: string): Promise<{ status: number; text: string }>;
  /** Ends the proxy as if it had crashed, connections included; what it resolves with starts it again on the same port. */
  crash(): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

export interface CallOptions {
  method?: 'GET' | 'POST';
  path: string;
  body?: string | Buffer;
  headers?: Record<string, string>;
  client?: TestCertificate;
}

export interface FixtureOptions {
  clients?: SigningClient[];
  /** Default: a software backend with an audit, a manifest and a checkpoint key. */
  open?: (dir: string) => Promise<SigningBackend>;
  /** Default: a deadline that no busy machine reaches. */
  guard?: Omit<GuardOptions, 'observer'>;
  /** Default {@link SHARDS}. */
  shards?: number;
  /** Default: no marks are kept. */
  marks?: (dir: string) => MarkStore;
  operators?: string[];
  /** Default: no keys are made. */
  made?: (dir: string) => MadeKeys;
  keyMakers?: string[];
  maxMadeKeys?: number;
}

export async function openSoftware(dir: string): Promise<SigningBackend> {
  return SoftwareBackend.open({
    dir: join(dir, 'keys'),
    keys: [
      { kid: AUDIT, purposes: ['audit'] },
      { kid: MANIFEST, purposes: ['manifest'] },
      { kid: CHECKPOINT, purposes: ['checkpoint'] },
    ],
    production: false,
  });
}

export async function startProxyFixture(options: FixtureOptions = {}): Promise<ProxyFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'signing-proxy-'));
  const ca = await TestCa.create();
  const server = await ca.issueServer();
  const kernel = await ca.issueClient('kernel');
  const logs: Record<string, unknown>[] = [];
  const logger = createLogger({
    app: 'signing-proxy',
    level: 'debug',
    destination: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        logs.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        done();
      },
    }),
  });
  const backends = [await (options.open ?? openSoftware)(dir)];
  const start = (port: number) =>
    startSigningProxy({
      origin: ORIGIN,
      shards: options.shards ?? SHARDS,
      clients: options.clients ?? [{ cn: 'kernel', purposes: [...SIGNING_PURPOSES] }],
      backends: [current()],
      marks: options.marks?.(dir),
      operators: options.operators ?? [],
      made: options.made?.(dir),
      ...(options.keyMakers && { keyMakers: options.keyMakers }),
      ...(options.maxMadeKeys !== undefined && { maxMadeKeys: options.maxMadeKeys }),
      logger,
      host: '127.0.0.1',
      port,
      tls: { cert: server.cert, key: server.key, ca: ca.cert },
      management: { host: '127.0.0.1', port: 0 },
      guard: options.guard ?? { timeoutMs: 30_000 },
    });
  const current = (): SigningBackend => backends[0] as SigningBackend;
  let proxy = await start(0);
  const { port } = proxy;
  const url = `https://localhost:${port}`;
  const agents = new Map<TestCertificate, ReturnType<typeof agent>>();
  const clients: SigningProxyClient[] = [];

  const fixture: ProxyFixture = {
    dir,
    ca,
    url,
    logs,
    get proxy() {
      return proxy;
    },
    get backend() {
      return current();
    },
    as: (commonName) => ca.issueClient(commonName),
    call: async ({ method = 'POST', path, body, headers, client = kernel }) => {
      const as = agents.get(client) ?? agent(url, { ca: ca.cert, cert: client.cert, key: client.key });
      agents.set(client, as);
      const sent = { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers };
      const {
        status,
        headers: answered,
        text,
      } = await as[method === 'GET' ? 'get' : 'post'](path).set(sent).send(body);
      const { contract } = proxy;
      const match = contract.match(method, path);
      const seen = { status, headers: answered, body: text };
      if (match !== undefined && 'operation' in match) {
        contract.assertAnswer(match.operation.id, seen);
        // What is taken, also by a reader of the app's own, is what the document describes.
        if (status < 300) expect(match.operation.body?.validate(JSON.parse(String(body)))).not.toBe(false);
      } else {
        // A path that does not exist has no entry, but its problem has to look like all others.
        contract.assertAnswer('signBatch', { ...seen, status: 500 });
      }
      return { status, headers: answered, body: JSON.parse(text) };
    },
    sign: (items, client) =>
      fixture.call({
        path: '/v1/sign',
        body: JSON.stringify({ requests: items }),
        ...(client && { client }),
      }),
    client: (extra = {}) => {
      const client = new SigningProxyClient({
        url,
        ca: ca.cert,
        cert: kernel.cert,
        key: kernel.key,
        ...extra,
      });
      clients.push(client);
      return client;
    },
    metric: async (name) => {
      const { text } = await fixture.management('/metrics');
      const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length + 1));
    },
    management: async (path) => {
      const response = await request(`http://127.0.0.1:${proxy.managementPort}${path}`);
      return { status: response.statusCode, text: await response.body.text() };
    },
    crash: async () => {
      proxy.server.closeAllConnections();
      await proxy.close();
      return async () => {
        backends[0] = await (options.open ?? openSoftware)(dir);
        proxy = await start(port);
      };
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await proxy.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return fixture;
}
