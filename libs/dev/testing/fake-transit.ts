import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TLSSocket } from 'node:tls';
import { CertificateAuthority } from '#dev/devstack';

/** `max_request_json_strings` of OpenBao's listener, where no other is set. */
const MAX_REQUEST_STRINGS = 1_000;
const NO_CERTIFICATE = 'no client certificate found';

interface TransitVersion {
  pair: { publicKey: KeyObject; privateKey: KeyObject };
  created: Date;
}

export interface FakeTransitKey {
  type: string;
  derived: boolean;
  exportable: boolean;
  allow_plaintext_backup: boolean;
  imported_key: boolean;
  min_encryption_version: number;
  /** Version 1 first. */
  versions: TransitVersion[];
}

interface Token {
  /** Seconds, as it was given; 0 does not expire. */
  ttl: number;
  /** On `performance.now()`; after it Vault does not know the token. */
  endsAt: number;
  renewable: boolean;
  /** On `performance.now()`; renewals go no further. */
  latest: number;
  /** Given for a client certificate, without which it is not renewed either. */
  byCertificate: boolean;
}

/** What a sign request gets instead of what it asked for. */
export type TransitFault =
  | { status: number; errors?: string[]; retryAfter?: number }
  /** These items of the batch fail, inside a 200. */
  | { items: number[]; error: string }
  | 'hangup'
  | 'garbage'
  | 'wrong-signature'
  /** Signatures by the newest version, whatever was asked for. */
  | 'newest-version'
  /** No answer, until the server is closed. */
  | 'silence';

class TransitError extends Error {
  constructor(
    readonly status: number,
    ...errors: string[]
  ) {
    super(errors.join('; '));
    this.errors = errors;
  }
  readonly errors: string[];
}

/**
 * The transit engine of Vault and OpenBao as far as Ed25519 signing goes, with tokens that end, over TLS. Routes, answers
 * and errors are those of builtin/logical/transit and of the token, Kubernetes and cert auth methods, held against a real
 * OpenBao (openbao.int.spec.ts of libs/platform/signer). It fails on demand, which a real server does not.
 */
export class FakeTransit {
  readonly keys = new Map<string, FakeTransitKey>();
  readonly tokens = new Map<string, Token>();
  /** What Kubernetes auth takes, and what both logins give. */
  readonly role = 'kernel-signing-proxy';
  readonly jwt = `${randomUUID()}.${randomUUID()}.signature`;
  login = { ttl: 3_600, renewable: true, maxTtl: 86_400 };
  /** One for each sign request, in turn; undefined answers as it should. */
  faults: (TransitFault | undefined)[] = [];
  /** For every sign request that has no fault of its own. */
  always: TransitFault | undefined;
  latencyMs = 0;
  sealed = false;
  /** Whether the policy of the tokens lets them make keys. */
  mayMakeKeys = true;
  /** Requests so far, by route. */
  calls: Record<string, number> = {};
  private server: Server | null = null;
  private port = 0;

  private constructor(
    private readonly ca: CertificateAuthority,
    private readonly tls: { cert: string; key: string },
    /** PEM of a client that cert auth takes. */
    readonly client: { cert: string; key: string },
  ) {}

  static async create(): Promise<FakeTransit> {
    const ca = await CertificateAuthority.create('vault CA');
    return new FakeTransit(ca, await ca.issueServer(), await ca.issueClient('signing-proxy'));
  }

  get address(): string {
    return `https://localhost:${this.port}`;
  }

  get caCert(): string {
    return this.ca.cert;
  }

  addKey(name: string, changes: Partial<FakeTransitKey> = {}): FakeTransitKey {
    const key: FakeTransitKey = {
      type: 'ed25519',
      derived: false,
      exportable: false,
      allow_plaintext_backup: false,
      imported_key: false,
      min_encryption_version: 0,
      versions: [newVersion()],
      ...changes,
    };
    this.keys.set(name, key);
    return key;
  }

  /** As `vault write -f transit/keys/NAME/rotate`. */
  rotate(name: string): void {
    this.keys.get(name)?.versions.push(newVersion());
  }

  addToken(
    { ttl, renewable, maxTtl }: { ttl: number; renewable: boolean; maxTtl?: number },
    byCertificate = false,
  ): string {
    const token = `hvs.${randomUUID()}`;
    const now = performance.now();
    this.tokens.set(token, {
      ttl,
      renewable,
      endsAt: ttl === 0 ? Infinity : now + ttl * 1_000,
      latest: maxTtl === undefined ? Infinity : now + maxTtl * 1_000,
      byCertificate,
    });
    return token;
  }

  /** Listens on localhost; after `stop` it comes back on the same port. */
  async start(): Promise<this> {
    const { cert, key } = this.tls;
    const server = createServer(
      { cert, key, ca: this.ca.cert, requestCert: true, rejectUnauthorized: false, keepAliveTimeout: 60_000 },
      (request, response) => {
        void this.serve(request, response).catch((error: unknown) => response.destroy(error as Error));
      },
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  /** Ends it as a crash would, connections included. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const answer = (status: number, value?: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(value === undefined ? undefined : JSON.stringify(value));
    };
    try {
      if (this.sealed) throw new TransitError(503, 'Vault is sealed');
      const text = Buffer.concat(chunks).toString('utf8');
      const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
      if (stringsIn(body) > MAX_REQUEST_STRINGS) {
        throw new TransitError(
          400,
          'refused JSON input due to high complexity: exceeded maximum number of strings',
        );
      }
      await this.route(request, body, response, answer);
    } catch (error) {
      if (!(error instanceof TransitError)) throw error;
      answer(error.status, { errors: error.errors });
    }
  }

  private async route(
    request: IncomingMessage,
    body: Record<string, unknown>,
    response: ServerResponse,
    answer: (status: number, value?: unknown, headers?: Record<string, string>) => void,
  ): Promise<void> {
    const route = `${request.method} ${request.url}`;
    const [, engine = '', verb = '', name = ''] =
      /^\/v1\/([^/]+)\/([^/]+)\/(.+)$/.exec(request.url ?? '') ?? [];
    const counted = engine === 'transit' ? `${verb}` : `${verb}/${name}`;
    this.calls[counted] = (this.calls[counted] ?? 0) + 1;
    switch (route) {
      case 'POST /v1/auth/kubernetes/login':
        if (body['role'] !== this.role)
          throw new TransitError(400, `invalid role name "${String(body['role'])}"`);
        if (body['jwt'] !== this.jwt) throw new TransitError(403, 'permission denied');
        return answer(200, this.loggedIn());
      case 'POST /v1/auth/cert/login':
        if (!(request.socket as TLSSocket).authorized) {
          throw new TransitError(400, NO_CERTIFICATE);
        }
        if (body['name'] !== undefined && body['name'] !== this.role) {
          throw new TransitError(400, 'invalid certificate or no client certificate supplied');
        }
        return answer(200, this.loggedIn(true));
    }
    const token = this.authorized(request);
    switch (route) {
      case 'GET /v1/auth/token/lookup-self':
        return answer(200, { data: { ttl: secondsLeft(token), renewable: token.renewable } });
      case 'POST /v1/auth/token/renew-self': {
        if (!token.renewable) throw new TransitError(400, 'lease is not renewable');
        if (token.byCertificate && !(request.socket as TLSSocket).authorized) {
          throw new TransitError(400, NO_CERTIFICATE);
        }
        const now = performance.now();
        if (token.latest <= now) throw new TransitError(400, 'past the max TTL, cannot renew');
        token.endsAt = Math.min(now + token.ttl * 1_000, token.latest);
        return answer(200, { auth: { lease_duration: secondsLeft(token), renewable: true } });
      }
      case 'POST /v1/auth/token/revoke-self':
        this.tokens.delete(String(request.headers['x-vault-token']));
        return answer(204);
    }
    if (engine === 'transit' && verb === 'keys' && request.method === 'POST' && !name.includes('/')) {
      if (!this.mayMakeKeys) throw new TransitError(403, 'permission denied');
      // As the engine does: what exists stays as it is.
      if (!this.keys.has(name)) this.addKey(name, body);
      return answer(204);
    }
    if (engine !== 'transit' || !this.keys.has(decodeURIComponent(name))) {
      if (verb === 'sign') throw new TransitError(400, 'signing key not found');
      throw new TransitError(404);
    }
    const key = this.keys.get(decodeURIComponent(name)) as FakeTransitKey;
    if (request.method === 'GET' && verb === 'keys') return answer(200, { data: described(name, key) });
    if (request.method !== 'POST' || verb !== 'sign') throw new TransitError(405, 'unsupported operation');
    const fault = this.faults.shift() ?? this.always;
    if (this.latencyMs > 0) await sleep(this.latencyMs);
    if (fault === 'hangup') return void response.destroy();
    if (fault === 'silence') return;
    if (fault === 'garbage') return void response.writeHead(200).end('<html>Bad gateway</html>');
    if (typeof fault === 'object' && 'status' in fault) {
      const headers: Record<string, string> =
        fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
      return answer(fault.status, { errors: fault.errors ?? [] }, headers);
    }
    answer(200, { data: { batch_results: signed(key, body, fault) } });
  }

  private loggedIn(byCertificate = false): unknown {
    const { ttl, renewable } = this.login;
    const token = this.addToken(this.login, byCertificate);
    return { auth: { client_token: token, lease_duration: ttl, renewable, policies: ['kernel-signing'] } };
  }

  private authorized(request: IncomingMessage): Token {
    const token = this.tokens.get(String(request.headers['x-vault-token']));
    if (token && performance.now() < token.endsAt) return token;
    throw new TransitError(403, 'permission denied', 'invalid token');
  }
}

/** As OpenBao counts them: names of members too. */
function stringsIn(value: unknown): number {
  if (typeof value === 'string') return 1;
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value).reduce<number>((sum, member) => sum + stringsIn(member), 0);
  return inside + (Array.isArray(value) ? 0 : Object.keys(value).length);
}

function newVersion(): TransitVersion {
  return { pair: generateKeyPairSync('ed25519'), created: new Date() };
}

function secondsLeft({ endsAt }: Token): number {
  return endsAt === Infinity ? 0 : Math.max(1, Math.ceil((endsAt - performance.now()) / 1_000));
}

function described(name: string, { versions, ...settings }: FakeTransitKey): unknown {
  const keys = versions.map(({ pair, created }, index) => [
    String(index + 1),
    {
      name: 'ed25519',
      public_key: pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64'),
      creation_time: created.toISOString(),
    },
  ]);
  return {
    ...settings,
    name,
    latest_version: versions.length,
    min_decryption_version: 1,
    supports_signing: true,
    deletion_allowed: false,
    keys: Object.fromEntries(keys) as unknown,
  };
}

function signed(
  key: FakeTransitKey,
  body: Record<string, unknown>,
  fault: TransitFault | undefined,
): unknown[] {
  const batch = body['batch_input'];
  if (!Array.isArray(batch) || batch.length === 0)
    throw new TransitError(400, 'missing batch input to process');
  const latest = key.versions.length;
  const asked = Number(body['key_version'] ?? 0) || latest;
  const version = fault === 'newest-version' ? latest : asked;
  return batch.map((item: { input?: string; reference?: string }, index) => {
    const failing =
      typeof fault === 'object' && 'items' in fault && fault.items.includes(index) ? fault.error : undefined;
    const error = failing ?? whyNotSigned(key, item, version);
    if (error !== undefined) return { error };
    const privateKey = key.versions[version - 1]?.pair.privateKey as KeyObject;
    const bytes = sign(null, Buffer.from(item.input ?? '', 'base64'), privateKey);
    if (fault === 'wrong-signature') bytes.fill(1);
    return { signature: `vault:v${version}:${bytes.toString('base64')}`, key_version: version };
  });
}

function whyNotSigned(
  key: FakeTransitKey,
  { input }: { input?: string },
  version: number,
): string | undefined {
  if (input === undefined) return 'missing input';
  if (version > key.versions.length) {
    return 'requested version for signing is higher than the latest key version';
  }
  if (key.min_encryption_version > 0 && version < key.min_encryption_version) {
    return 'requested version for signing is less than the minimum encryption key version';
  }
  return undefined;
}
