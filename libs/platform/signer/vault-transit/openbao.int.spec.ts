import { readFile, writeFile } from 'node:fs/promises';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { importPublicKey, verifyEd25519 } from '#evidence';
import {
  describeWithOpenBao,
  FakeTokenReviews,
  startTestOpenBao,
  TestCa,
  type TestOpenBao,
} from '#dev/testing';
import { VaultTransitBackend, type VaultTransitBackendOptions } from './vault-transit.backend';

const messages = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, n) => Buffer.from(`message ${n}`));

/** Tests that only a real server allows; those that need a server to misbehave are in the other file, with a fake. */
describeWithOpenBao('vault-transit backend at OpenBao', () => {
  let bao: TestOpenBao;
  let said: string[];
  const kids = new Set<string>();
  const opened: VaultTransitBackend[] = [];

  /** A key of the test's own, which the policy allows to sign with. */
  const makeKey = async (kid: string, settings: object = {}): Promise<string> => {
    await bao.server.ask('POST', `transit/keys/${kid}`, { type: 'ed25519', ...settings });
    kids.add(kid);
    await bao.allow([...kids]);
    return kid;
  };
  const open = async (
    kid: string,
    options: Partial<VaultTransitBackendOptions> = {},
  ): Promise<VaultTransitBackend> => {
    const backend = await VaultTransitBackend.open({
      ...bao.connection,
      auth: { method: 'cert', role: bao.transit.role },
      keys: [{ kid, purposes: ['audit'] }],
      // No busy machine takes longer.
      requestTimeoutMs: 20_000,
      onTrouble: (sentence) => said.push(sentence),
      ...options,
    });
    opened.push(backend);
    return backend;
  };
  const verifies = async (backend: VaultTransitBackend, count = 3): Promise<boolean> => {
    const [info] = backend.keys();
    const key = importPublicKey(info?.publicKeyPem ?? '');
    const signatures = await backend.sign(info?.kid ?? '', messages(count));
    return messages(count).every((message, n) => verifyEd25519(key, message, signatures[n] ?? message));
  };
  /** Holders of a token now, except the administrator. */
  const tokens = async (): Promise<string[]> => {
    const listed = (await bao.server.ask('GET', 'auth/token/accessors?list=true')) as {
      data: { keys: string[] };
    };
    const holders = await Promise.all(
      listed.data.keys.map(async (accessor) => {
        const found = await bao.server
          .ask('POST', 'auth/token/lookup-accessor', { accessor })
          // One that ended since.
          .catch(() => null);
        const policies = (found as { data: { policies: string[] } } | null)?.data.policies ?? [];
        return policies.includes(bao.transit.role) ? [accessor] : [];
      }),
    );
    return holders.flat().sort();
  };
  const role = (settings: object): Promise<unknown> =>
    bao.server.ask('POST', `auth/cert/certs/${bao.transit.role}`, settings);
  const tokenFile = async (settings: object): Promise<string> => {
    const made = (await bao.server.ask('POST', 'auth/token/create', {
      policies: [bao.transit.role],
      no_default_policy: true,
      no_parent: true,
      ...settings,
    })) as { auth: { client_token: string } };
    const file = join(bao.dir, 'token');
    await writeFile(file, `${made.auth.client_token}\n`, { mode: 0o600 });
    return file;
  };

  beforeAll(async () => {
    bao = await startTestOpenBao({ kids: [] });
  }, 60_000);
  beforeEach(() => {
    said = [];
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((backend) => backend.close()));
    await role({ token_period: 3_600, token_ttl: 0, token_max_ttl: 0 });
  });
  afterAll(() => bao?.stop());

  describe('logs in', () => {
    it('with its client certificate, and gives the token back at the end', async () => {
      const backend = await open(await makeKey('cert-login'));
      expect(await verifies(backend)).toBe(true);
      expect(await tokens()).toHaveLength(1);
      await backend.close();
      expect(await tokens()).toEqual([]);
    });

    it('with a token from a file, which it does not give back', async () => {
      const kid = await makeKey('token-file');
      const file = await tokenFile({ ttl: '1h' });
      const backend = await open(kid, {
        auth: { method: 'token-file', file },
        cert: undefined,
        key: undefined,
      });
      expect(await verifies(backend)).toBe(true);
      await backend.close();
      const [token] = await tokens();
      expect(token).toBeDefined();
      await bao.server.ask('POST', 'auth/token/revoke-accessor', { accessor: token });
      await expect(open(kid, { auth: { method: 'token-file', file } })).rejects.toMatchObject({
        code: 'misconfigured',
        message: expect.stringContaining('403: permission denied'),
      });
    });

    it('not with another certificate of the same authority, an unknown role, or none', async () => {
      const kid = await makeKey('not-with');
      const other = await bao.ca.ensure({ name: 'other', commonName: 'other', usage: 'client' });
      const refused = (sentence: string) => ({
        code: 'misconfigured',
        message: expect.stringContaining(sentence),
      });
      await expect(
        open(kid, { cert: await readFile(other.cert), key: await readFile(other.key) }),
      ).rejects.toMatchObject(refused('no chain matching all constraints could be found'));
      await expect(open(kid, { auth: { method: 'cert', role: 'nobody' } })).rejects.toMatchObject(
        refused('invalid certificate'),
      );
      await expect(open(kid, { cert: undefined, key: undefined })).rejects.toMatchObject(
        refused('no client certificate found'),
      );
    });
  });

  describe('logs in with the service account of its pod', () => {
    const account = { namespace: 'kernel', name: 'signing-proxy' };
    let kubernetes: FakeTokenReviews;
    let jwtFile: string;
    const auth = () => ({ method: 'kubernetes', role: bao.transit.role, jwtFile }) as const;
    const openAsPod = (kid: string): Promise<VaultTransitBackend> =>
      open(kid, { auth: auth(), cert: undefined, key: undefined });
    const podRole = (settings: object = {}): Promise<unknown> =>
      bao.server.ask('POST', `auth/kubernetes/role/${bao.transit.role}`, {
        bound_service_account_names: [account.name],
        bound_service_account_namespaces: [account.namespace],
        token_policies: [bao.transit.role],
        token_no_default_policy: true,
        token_ttl: 3_600,
        ...settings,
      });

    beforeAll(async () => {
      const tls = await bao.ca.ensure({
        name: 'kubernetes',
        commonName: 'kubernetes',
        usage: 'server',
        hosts: ['127.0.0.1'],
      });
      kubernetes = await FakeTokenReviews.start({
        cert: await readFile(tls.cert),
        key: await readFile(tls.key),
      });
      jwtFile = join(bao.dir, 'service-account-token');
      await bao.server.ask('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
      await bao.server.ask('POST', 'auth/kubernetes/config', {
        kubernetes_host: kubernetes.address,
        kubernetes_ca_cert: await readFile(bao.ca.certFile, 'utf8'),
        token_reviewer_jwt: kubernetes.reviewer,
        disable_local_ca_jwt: true,
      });
    });
    afterAll(() => kubernetes?.stop());

    beforeEach(() => podRole({ audience: '' }));

    it('which Kubernetes vouches for, and gives the token back at the end', async () => {
      const jwt = kubernetes.issue(account);
      await writeFile(jwtFile, `${jwt}\n`);
      const backend = await openAsPod(await makeKey('pod'));
      expect(kubernetes.asked).toEqual([jwt]);
      expect(await verifies(backend)).toBe(true);
      expect(await tokens()).toHaveLength(1);
      await backend.close();
      expect(await tokens()).toEqual([]);
    });

    it('not with that of another pod, nor with one that Kubernetes does not know', async () => {
      const kid = await makeKey('other-pod');
      const gone = kubernetes.issue(account);
      kubernetes.revoke(gone);
      for (const [jwt, sentence] of [
        [kubernetes.issue({ ...account, name: 'kernel' }), 'service account name not authorized'],
        [kubernetes.issue({ ...account, namespace: 'default' }), 'namespace not authorized'],
        [gone, 'Vault answered 403: permission denied'],
      ] as const) {
        await writeFile(jwtFile, jwt);
        await expect(openAsPod(kid)).rejects.toMatchObject({
          code: 'misconfigured',
          message: expect.stringContaining(sentence),
        });
      }
    });

    it('with a token for OpenBao alone, where the role asks for that, and with no other or old one', async () => {
      const audiences = ['openbao.example.com'];
      await podRole({ audience: audiences[0] });
      const kid = await makeKey('audience');
      await writeFile(jwtFile, kubernetes.issue(account, { audiences }));
      expect(await verifies(await openAsPod(kid))).toBe(true);
      for (const [jwt, sentence] of [
        // One for the API server, which every pod has.
        [kubernetes.issue(account), 'invalid audience'],
        [kubernetes.issue(account, { audiences: ['https://another.example.com'] }), 'invalid audience'],
        [kubernetes.issue(account, { audiences, seconds: -60 }), 'expired'],
      ] as const) {
        await writeFile(jwtFile, jwt);
        await expect(openAsPod(kid)).rejects.toMatchObject({
          code: 'misconfigured',
          message: expect.stringContaining(sentence),
        });
      }
    });

    it('each time with the one that Kubernetes has put into the pod since', async () => {
      // OpenBao checks the login's service account token again before it renews a token, and renews none whose pod is
      // gone.
      await podRole({ token_ttl: 3, token_max_ttl: 3 });
      const [first, second] = [kubernetes.issue(account), kubernetes.issue(account)];
      await writeFile(jwtFile, first);
      const backend = await openAsPod(await makeKey('new-jwt'));
      await writeFile(jwtFile, second);
      kubernetes.revoke(first);
      while (kubernetes.asked.at(-1) !== second) {
        expect(await verifies(backend, 1)).toBe(true);
        await sleep(50);
      }
      expect(await verifies(backend)).toBe(true);
      expect(said).toEqual([]);
      // And says so once there is none that Kubernetes accepts.
      kubernetes.revoke(second);
      while (said.length === 0) await sleep(50);
      expect(said[0]).toBe('The Vault token was not renewed: Vault answered 403: permission denied');
    });
  });

  describe('has a token for as long as it runs', () => {
    it('renews it before it ends', async () => {
      const kid = await makeKey('renewed');
      await role({ token_period: 3 });
      const backend = await open(kid);
      const [accessor] = await tokens();
      const lookup = async (): Promise<{ last_renewal?: string; ttl: number }> =>
        (
          (await bao.server.ask('POST', 'auth/token/lookup-accessor', { accessor })) as {
            data: { ttl: number };
          }
        ).data;
      while ((await lookup()).last_renewal === undefined) await sleep(50);
      expect(await verifies(backend)).toBe(true);
      expect(await tokens()).toEqual([accessor]);
      expect(said).toEqual([]);
    });

    it('logs in again when it has been renewed for the last time, without a failed signature', async () => {
      const kid = await makeKey('ended');
      await role({ token_period: 0, token_ttl: 4, token_max_ttl: 6 });
      const backend = await open(kid);
      const [first] = await tokens();
      while ((await tokens()).includes(first ?? '')) {
        expect(await verifies(backend, 1)).toBe(true);
        await sleep(50);
      }
      expect(await verifies(backend)).toBe(true);
      expect(await tokens()).not.toContain(first);
      expect(said).toEqual([]);
    });

    it('logs in again when it was taken back', async () => {
      const backend = await open(await makeKey('taken-back'));
      const [first] = await tokens();
      // A token that is refused sooner is expected to be refused again.
      await sleep(1_000);
      await bao.server.ask('POST', 'auth/token/revoke-accessor', { accessor: first });
      expect(await verifies(backend)).toBe(true);
      expect(await tokens()).not.toContain(first);
    });
  });

  it('signs nothing while the server is sealed, and again with the same token when it is not', async () => {
    const kid = await makeKey('sealed');
    const backend = await open(kid);
    const before = await tokens();
    await bao.server.seal();
    await expect(backend.sign(kid, messages(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('Vault answered 503: Vault is sealed'),
    });
    expect(await backend.health()).toMatchObject({ ok: false });
    await bao.server.unseal();
    expect(await verifies(backend)).toBe(true);
    expect(await tokens()).toEqual(before);
  });

  it('has the same keys after the server was killed', async () => {
    const kid = await makeKey('killed');
    const backend = await open(kid);
    await bao.server.kill();
    await expect(backend.sign(kid, messages(1))).rejects.toMatchObject({ code: 'signing_unavailable' });
    await bao.server.start();
    expect(await verifies(backend)).toBe(true);
  }, 60_000);

  it('goes on with the version that was named when the key is rotated', async () => {
    const kid = await makeKey('rotated');
    const backend = await open(kid);
    await bao.server.ask('POST', `transit/keys/${kid}/rotate`, {});
    expect(await verifies(backend)).toBe(true);
    await expect(open(kid)).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringContaining('has 2 versions'),
    });
    const both = await open(kid, {
      keys: [
        { kid: 'rotated-v1', purposes: ['audit'], keyId: kid, keyVersion: 1 },
        { kid: 'rotated-v2', purposes: ['audit'], keyId: kid, keyVersion: 2 },
      ],
    });
    const [first, second] = both.keys().map(({ publicKeyPem }) => importPublicKey(publicKeyPem));
    const [message = Buffer.alloc(0)] = messages(1);
    const [signature = new Uint8Array()] = await both.sign('rotated-v2', [message]);
    expect(second && verifyEd25519(second, message, signature)).toBe(true);
    expect(first && verifyEd25519(first, message, signature)).toBe(false);
    // This disables the old one; every message of the batch is refused inside a 200.
    await bao.server.ask('POST', `transit/keys/${kid}/config`, { min_encryption_version: 2 });
    await expect(backend.sign(kid, messages(3))).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('less than the minimum encryption key version'),
    });
  });

  it('says so when the key was deleted', async () => {
    const kid = await makeKey('deleted');
    const backend = await open(kid);
    await bao.server.ask('POST', `transit/keys/${kid}/config`, { deletion_allowed: true });
    await bao.server.ask('DELETE', `transit/keys/${kid}`);
    await expect(backend.sign(kid, messages(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('Vault answered 400: signing key not found'),
    });
    await expect(open(kid)).rejects.toMatchObject({
      code: 'unknown_key',
      message: expect.stringContaining('Vault has no key transit/keys/deleted'),
    });
  });

  it('gets at no key that its policy does not name, and at nothing else of one that it does', async () => {
    const kid = await makeKey('named');
    await bao.server.ask('POST', 'transit/keys/unnamed', { type: 'ed25519' });
    await expect(open('unnamed')).rejects.toMatchObject({
      code: 'misconfigured',
      message: expect.stringContaining('403: permission denied'),
    });
    const file = await tokenFile({ ttl: '1h' });
    const token = (await readFile(file, 'utf8')).trim();
    const agent = new Agent({ connect: { ca: bao.connection.ca } });
    const status = async (method: 'GET' | 'POST' | 'DELETE', path: string): Promise<number> => {
      const { statusCode, body } = await request(`${bao.connection.address}/v1/${path}`, {
        dispatcher: agent,
        method,
        headers: { 'x-vault-token': token },
        ...(method === 'POST' ? { body: '{}' } : {}),
      });
      await body.dump();
      return statusCode;
    };
    try {
      expect(await status('GET', `transit/keys/${kid}`)).toBe(200);
      const denied = await Promise.all([
        status('POST', `transit/keys/${kid}/rotate`),
        status('POST', `transit/keys/${kid}/config`),
        status('DELETE', `transit/keys/${kid}`),
        status('GET', `transit/export/signing-key/${kid}`),
        status('GET', `transit/backup/${kid}`),
        status('POST', 'transit/sign/unnamed'),
        status('POST', 'transit/keys/new'),
        status('GET', 'sys/mounts'),
        status('POST', 'sys/seal'),
      ]);
      expect(new Set(denied)).toEqual(new Set([403]));
    } finally {
      await agent.destroy();
    }
  });

  it.each<[string, object, RegExp]>([
    ['of another type', { type: 'ecdsa-p256' }, /is of the type ecdsa-p256/],
    ['that is derived', { derived: true }, /is derived/],
    ['that can be exported', { exportable: true }, /is exportable/],
    ['that can be backed up in plain text', { allow_plaintext_backup: true }, /plaintext backups/],
  ])('does not open with a key %s', async (what, settings, sentence) => {
    const kid = await makeKey(`bad-${what.replaceAll(' ', '-')}`, settings);
    await expect(open(kid)).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringMatching(sentence),
    });
  });

  it('asks again for the one message of a batch that the server could not sign, and for no other', async () => {
    const kid = await makeKey('one-bad');
    const auth = { method: 'token-file', file: await tokenFile({ ttl: '1h' }) } as const;
    const spoiler = await Spoiler.start(bao.connection);
    try {
      const { address, ca } = spoiler;
      const backend = await open(kid, { address, ca, cert: undefined, key: undefined, auth });
      spoiler.spoil = 2;
      expect(await verifies(backend, 5)).toBe(true);
      // The self-test; the batch; its spoilt message, spoilt a second time; and that message again.
      expect(spoiler.batches).toEqual([1, 5, 1, 1]);
      spoiler.spoil = Infinity;
      await expect(backend.sign(kid, messages(5))).rejects.toMatchObject({
        code: 'signing_unavailable',
        message: expect.stringContaining('unable to decode input as base64'),
      });
    } finally {
      await spoiler.stop();
    }
  });
});

/** Proxy in front of the server that makes the last message of a batch unreadable, `spoil` times. */
class Spoiler {
  spoil = 0;
  readonly batches: number[] = [];

  private constructor(
    private readonly server: Server,
    private readonly agent: Agent,
    readonly ca: string,
  ) {}

  static async start(behind: { address: string; ca: string }): Promise<Spoiler> {
    const authority = await TestCa.create();
    const { cert, key } = await authority.issueServer();
    const agent = new Agent({ connect: { ca: behind.ca } });
    const server = createServer({ cert, key });
    const spoiler = new Spoiler(server, agent, authority.cert);
    server.on('request', (asked: IncomingMessage, response: ServerResponse) => {
      void spoiler.pass(behind.address, asked, response).catch((error: unknown) => {
        response.destroy(error as Error);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return spoiler;
  }

  get address(): string {
    return `https://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    await this.agent.destroy();
  }

  private async pass(address: string, asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of asked) chunks.push(chunk as Buffer);
    let sent = Buffer.concat(chunks).toString('utf8');
    if (asked.url?.startsWith('/v1/transit/sign/') === true) {
      const body = JSON.parse(sent) as { batch_input: { input: string }[] };
      this.batches.push(body.batch_input.length);
      const last = body.batch_input.at(-1);
      if (last !== undefined && this.spoil > 0) {
        this.spoil -= 1;
        last.input = '***';
      }
      sent = JSON.stringify(body);
    }
    const answer = await request(`${address}${asked.url}`, {
      dispatcher: this.agent,
      method: asked.method as 'GET' | 'POST',
      headers: { 'x-vault-token': String(asked.headers['x-vault-token']) },
      ...(sent === '' ? {} : { body: sent }),
    });
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' });
    response.end(await answer.body.text());
  }
}
