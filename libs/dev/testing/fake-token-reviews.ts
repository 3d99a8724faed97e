import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo } from 'node:net';

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';
const AUDIENCE = 'https://kubernetes.default.svc';
const HOUR_SECONDS = 3_600;

export interface ServiceAccount {
  namespace: string;
  name: string;
}

export interface TokenRequest {
  /** For whom the token is; default the API server itself. */
  readonly audiences?: readonly string[];
  /** Default an hour; Kubernetes issues none for less than ten minutes, tests do. */
  readonly seconds?: number;
}

interface Issued {
  readonly account: ServiceAccount;
  readonly audiences: readonly string[];
  readonly expiresAt: number;
}

/**
 * The part of a Kubernetes API server that a Vault calls when a pod logs in: TokenReview (authentication.k8s.io/v1). It
 * knows the tokens that it has issued, which look like those of a projected service account, and judges them by the rules
 * of the real one: a token has to be known, in time, and for one of the audiences that are asked for.
 */
export class FakeTokenReviews {
  /** Token of the reviewer, who may ask. */
  readonly reviewer = randomUUID();
  /** Tokens it was asked about, in order. */
  readonly asked: string[] = [];
  private readonly issued = new Map<string, Issued>();
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  private constructor(private readonly server: Server) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void this.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  /** @param tls PEM, for 127.0.0.1 */
  static async start(tls: { cert: string | Buffer; key: string | Buffer }): Promise<FakeTokenReviews> {
    const server = createServer(tls);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeTokenReviews(server);
  }

  get address(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** @returns the JWT that Kubernetes would put into the pod */
  issue(
    account: ServiceAccount,
    { audiences = [AUDIENCE], seconds = HOUR_SECONDS }: TokenRequest = {},
  ): string {
    const now = Math.floor(Date.now() / 1_000);
    const signed = [
      { alg: 'ES256', kid: 'fake' },
      {
        aud: audiences,
        exp: now + seconds,
        iat: now,
        iss: AUDIENCE,
        jti: randomUUID(),
        'kubernetes.io': {
          namespace: account.namespace,
          serviceaccount: { name: account.name, uid: uidOf(account) },
        },
        nbf: now,
        sub: nameOf(account),
      },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = sign('sha256', Buffer.from(signed), {
      key: this.keys.privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    const token = `${signed}.${signature.toString('base64url')}`;
    this.issued.set(token, { account, audiences, expiresAt: (now + seconds) * 1_000 });
    return token;
  }

  /** Revokes a token: its pod is gone, or the account. */
  revoke(token: string): void {
    this.issued.delete(token);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (request.method !== 'POST' || request.url !== PATH) return send(404, { kind: 'Status', code: 404 });
    if (request.headers.authorization !== `Bearer ${this.reviewer}`) {
      return send(401, { kind: 'Status', code: 401 });
    }
    const { spec } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { spec: ReviewSpec };
    this.asked.push(spec.token);
    send(201, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec,
      status: this.judge(spec),
    });
  }

  private judge({ token, audiences: asked = [] }: ReviewSpec): object {
    const found = this.issued.get(token);
    if (found === undefined) return { authenticated: false, error: 'invalid bearer token' };
    if (found.expiresAt <= Date.now()) {
      return { authenticated: false, error: '[invalid bearer token, service account token has expired]' };
    }
    // Without any the API server's own are meant.
    const wanted = asked.length > 0 ? asked : [AUDIENCE];
    const audiences = found.audiences.filter((audience) => wanted.includes(audience));
    if (audiences.length === 0) {
      const error = `[invalid bearer token, token audiences [${found.audiences.join(' ')}] is invalid for the target audiences [${wanted.join(' ')}]]`;
      return { authenticated: false, error };
    }
    const { account } = found;
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`];
    return {
      authenticated: true,
      user: { username: nameOf(account), uid: uidOf(account), groups },
      audiences,
    };
  }
}

interface ReviewSpec {
  readonly token: string;
  readonly audiences?: readonly string[];
}

function nameOf({ namespace, name }: ServiceAccount): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

function uidOf(account: ServiceAccount): string {
  const hex = createHash('sha256').update(nameOf(account)).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
