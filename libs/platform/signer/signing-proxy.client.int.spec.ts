import { generateKeyPairSync, sign as signEd25519 } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TLSSocket } from 'node:tls';
import { TestCa, type TestCertificate } from '#dev/testing';
import {
  type SignatureRequest,
  SigningProxyClient,
  type SigningProxyTls,
  type SigningProxyClientOptions,
} from './signing-proxy.client';

const KID = 'client-audit-v1';
const SIGNATURE = `${'A'.repeat(86)}==`;

type Item = { purpose: string; kid: string; input: string };
type Handler = (items: Item[], response: ServerResponse, request: IncomingMessage) => void | Promise<void>;

/** Answer of a signing proxy; `input` in the key version shows whose answer it is. */
const signedAnswer = (items: Item[]): string =>
  JSON.stringify({
    signatures: items.map(({ kid, input }) => ({ kid, keyVersion: input, signature: SIGNATURE })),
  });
const problem = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
};

describe('SigningProxyClient', () => {
  let ca: TestCa;
  let serverCertificate: TestCertificate;
  let clientCertificate: TestCertificate;
  let server: Server;
  let port: number;
  let batches: number[];
  let handler: Handler;
  const clients: SigningProxyClient[] = [];

  const request = (n: number, kid = KID): SignatureRequest => ({
    purpose: 'manifest',
    kid,
    input: Buffer.from(`input ${n}`),
  });
  const requests = (count: number, from = 0) => Array.from({ length: count }, (_, n) => request(from + n));
  const inputOf = (n: number) => Buffer.from(`input ${n}`).toString('base64');
  const expected = (count: number, from = 0) =>
    Array.from({ length: count }, (_, n) => ({
      kid: KID,
      keyVersion: inputOf(from + n),
      signature: SIGNATURE,
    }));

  const open = (options: Partial<SigningProxyClientOptions> = {}): SigningProxyClient => {
    const client = new SigningProxyClient({
      url: `https://localhost:${port}`,
      ca: ca.cert,
      cert: clientCertificate.cert,
      key: clientCertificate.key,
      ...options,
    });
    clients.push(client);
    return client;
  };
  const listen = async (at: number): Promise<void> => {
    server = createServer(
      {
        ca: ca.cert,
        cert: serverCertificate.cert,
        key: serverCertificate.key,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (incoming, response) => {
        let text = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => (text += chunk));
        incoming.on('end', () => {
          const { requests: items } = (text === '' ? { requests: [] } : JSON.parse(text)) as {
            requests: Item[];
          };
          if (text !== '') batches.push(items.length);
          void handler(items, response, incoming);
        });
      },
    );
    await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  };
  const stop = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };

  beforeAll(async () => {
    ca = await TestCa.create();
    serverCertificate = await ca.issueServer();
    clientCertificate = await ca.issueClient('kernel');
  });
  beforeEach(async () => {
    batches = [];
    handler = (items, response) => void response.end(signedAnswer(items));
    await listen(0);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await stop();
  });

  it('answers each request in order', async () => {
    expect(await open().sign(requests(3))).toEqual(expected(3));
    expect(batches).toEqual([3]);
  });

  it('refuses an answer that another key of that name has signed, and takes the right one', async () => {
    const [known, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
    let signer = other.privateKey;
    handler = (items, response) =>
      void response.end(
        JSON.stringify({
          signatures: items.map(({ kid, input }) => {
            const signature = signEd25519(null, Buffer.from(input, 'base64'), signer).toString('base64');
            return { kid, keyVersion: '1', signature };
          }),
        }),
      );
    const client = open();
    const asked = requests(3).map((item) => ({ ...item, publicKey: known.publicKey }));
    await expect(client.sign(asked)).rejects.toMatchObject({
      code: 'signing_unavailable',
      details: { reason: 'wrong_key', kid: KID },
    });
    signer = known.privateKey;
    expect(await client.sign(asked)).toHaveLength(3);
  });

  it('answers nothing with nothing', async () => {
    expect(await open().sign([])).toEqual([]);
    expect(batches).toEqual([]);
  });

  it('gathers what concurrent callers want while requests are under way', async () => {
    const client = open({ maxInFlight: 1 });
    const held = Promise.withResolvers<void>();
    handler = async (items, response) => {
      await held.promise;
      response.end(signedAnswer(items));
    };
    const first = client.sign(requests(1));
    while (batches.length === 0) await sleep(1);
    const others = Array.from({ length: 20 }, (_, n) => client.sign(requests(2, 10 * n)));
    held.resolve();
    expect(await first).toEqual(expected(1));
    expect(await Promise.all(others)).toEqual(others.map((_, n) => expected(2, 10 * n)));
    expect(batches).toEqual([1, 40]);
  });

  /** Sends one input that the proxy does not answer until it is released; larger batches are answered at once. */
  async function heldRequest(client: SigningProxyClient) {
    const { promise, resolve: letGo } = Promise.withResolvers<void>();
    handler = async (items, response) => {
      if (items.length === 1) await promise;
      response.end(signedAnswer(items));
    };
    const held = client.sign(requests(1));
    while (batches.length === 0) await sleep(1);
    return { held, letGo };
  }

  it('lets a few inputs wait for the request under way, many go beside it', async () => {
    const client = open({ maxInFlight: 2 });
    const { held: first, letGo } = await heldRequest(client);
    const few = client.sign(requests(2, 10));
    const many = client.sign(requests(30, 20));
    expect(await many).toEqual(expected(30, 20));
    letGo();
    expect(await few).toEqual(expected(2, 10));
    expect(await first).toEqual(expected(1));
    expect(batches).toEqual([1, 32]);
  });

  it('lets audit events wait for nothing, and takes along what waits', async () => {
    const client = open({ maxInFlight: 2 });
    const { held: first, letGo } = await heldRequest(client);
    const few = client.sign(requests(2, 10));
    const event = client.sign([{ ...request(20), purpose: 'audit-event' }]);
    expect(await Promise.all([few, event])).toEqual([expected(2, 10), expected(1, 20)]);
    letGo();
    expect(await first).toEqual(expected(1));
    expect(batches).toEqual([1, 3]);
  });

  it('does not wait for a request that is stuck', async () => {
    const client = open({ maxInFlight: 2 });
    const { held: stuck, letGo } = await heldRequest(client);
    expect(await client.sign(requests(2, 10))).toEqual(expected(2, 10));
    letGo();
    expect(await stuck).toEqual(expected(1));
  });

  it('gathers callers of the same moment into the first request', async () => {
    const client = open();
    await Promise.all(Array.from({ length: 5 }, (_, n) => client.sign(requests(1, n))));
    expect(batches).toEqual([5]);
  });

  it('spreads large calls of the same moment over requests, and keeps each of them whole', async () => {
    const client = open({ maxInFlight: 3 });
    await client.sign(requests(1));
    const calls = [64, 64, 64, 10].map((count, n) => client.sign(requests(count, n * 100)));
    expect(await Promise.all(calls)).toEqual([64, 64, 64, 10].map((count, n) => expected(count, n * 100)));
    expect(batches).toEqual([1, 64, 64, 74]);
    batches = [];
    await Promise.all([64, 64, 64].map((count, n) => client.sign(requests(count, n * 100))));
    expect(batches).toEqual([64, 64, 64]);
  });

  it('sends no more at once than it may, and splits a call that is larger', async () => {
    const client = open({ maxBatch: 100 });
    expect(await client.sign(requests(1000))).toEqual(expected(1000));
    expect(batches).toEqual(Array.from({ length: 10 }, () => 100));
  });

  it('has at most maxInFlight requests under way', async () => {
    const client = open({ maxBatch: 1, maxInFlight: 3 });
    let running = 0;
    let most = 0;
    handler = async (items, response) => {
      most = Math.max(most, ++running);
      await sleep(5);
      running--;
      response.end(signedAnswer(items));
    };
    await client.sign(requests(20));
    expect(most).toBe(3);
  });

  it('fails only the caller whose input is refused', async () => {
    const client = open({ maxInFlight: 1 });
    handler = (items, response) => {
      const index = items.findIndex(({ input }) => input === inputOf(666));
      if (index === -1) response.end(signedAnswer(items));
      else problem(response, 422, { error: 'input_not_of_purpose', detail: `Request ${index}: no`, index });
    };
    const good = [client.sign(requests(3)), client.sign(requests(2, 10))];
    const bad = client.sign([request(5), request(666)]);
    const later = client.sign(requests(1, 20));
    await expect(bad).rejects.toMatchObject({
      code: 'signing_refused',
      details: { status: 422, error: 'input_not_of_purpose', index: 1 },
    });
    expect(await Promise.all(good)).toEqual([expected(3), expected(2, 10)]);
    expect(await later).toEqual(expected(1, 20));
    expect(batches).toEqual([8, 3, 2, 2, 1]);
  });

  it('tells an unknown key apart', async () => {
    handler = (_items, response) => problem(response, 422, { error: 'unknown_key', index: 0 });
    await expect(open().sign(requests(1))).rejects.toMatchObject({ code: 'unknown_key' });
  });

  it.each([500, 502, 503, 429, 408])('takes status %i for "not now"', async (status) => {
    handler = (_items, response) => problem(response, status, { error: 'signing_unavailable' });
    await expect(open().sign(requests(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
      details: { reason: 'proxy', status },
    });
  });

  it.each([
    ['no JSON', 'OK'],
    ['null', 'null'],
    [
      'too few signatures',
      JSON.stringify({ signatures: [{ kid: KID, keyVersion: '1', signature: SIGNATURE }] }),
    ],
    [
      'another key',
      signedAnswer([
        { purpose: '', kid: KID, input: 'x' },
        { purpose: '', kid: 'other', input: 'x' },
      ]),
    ],
    ['no key version', JSON.stringify({ signatures: Array(2).fill({ kid: KID, signature: SIGNATURE }) })],
    [
      '63 bytes',
      JSON.stringify({
        signatures: Array(2).fill({ kid: KID, keyVersion: '1', signature: `${'A'.repeat(84)}` }),
      }),
    ],
    [
      '65 bytes',
      JSON.stringify({
        signatures: Array(2).fill({ kid: KID, keyVersion: '1', signature: `${'A'.repeat(87)}=` }),
      }),
    ],
    [
      'stray bits',
      JSON.stringify({
        signatures: Array(2).fill({ kid: KID, keyVersion: '1', signature: `${'A'.repeat(85)}B==` }),
      }),
    ],
    ['items that are none', JSON.stringify({ signatures: [null, null] })],
  ])('does not take %s for signatures', async (_what, body) => {
    handler = (_items, response) => void response.end(body);
    await expect(open().sign(requests(2))).rejects.toMatchObject({
      code: 'signing_unavailable',
      details: { reason: 'invalid_answer' },
    });
  });

  it('gives up at the deadline, waiting and connecting included, and is ready for the next call', async () => {
    const client = open({ timeoutMs: 150, maxInFlight: 1 });
    let silent = true;
    handler = (items, response) => {
      if (!silent) response.end(signedAnswer(items));
    };
    const calls = [client.sign(requests(1)), client.sign(requests(1, 5))];
    await sleep(20);
    // This one waits behind those two and never gets its turn.
    calls.push(client.sign(requests(1, 9)));
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({
        code: 'signing_unavailable',
        details: { reason: 'deadline' },
      });
    }
    silent = false;
    expect(await client.sign(requests(2))).toEqual(expected(2));
  });

  it('gives up a server that accepts connections and says nothing', async () => {
    const sockets = new Set<{ destroy(): void }>();
    const deaf = createTcpServer((socket) => void sockets.add(socket));
    await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
    const client = open({ url: `https://localhost:${(deaf.address() as AddressInfo).port}`, timeoutMs: 100 });
    await expect(client.sign(requests(1))).rejects.toMatchObject({ code: 'signing_unavailable' });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => deaf.close(resolve));
  });

  it('refuses what would wait too long', async () => {
    const client = open({ maxQueued: 10, maxInFlight: 1 });
    const held = Promise.withResolvers<void>();
    handler = async (items, response) => {
      await held.promise;
      response.end(signedAnswer(items));
    };
    const first = client.sign(requests(1));
    while (batches.length === 0) await sleep(1);
    const waiting = client.sign(requests(10));
    await expect(client.sign(requests(1))).rejects.toMatchObject({
      code: 'queue_full',
      details: { queued: 10, limit: 10 },
    });
    held.resolve();
    await Promise.all([first, waiting]);
    expect(await client.sign(requests(10))).toEqual(expected(10));
  });

  it.each([0, 4097])('does not send an input of %i bytes', async (size) => {
    await expect(
      open().sign([request(1), { ...request(2), input: new Uint8Array(size) }]),
    ).rejects.toMatchObject({ code: 'invalid_request', details: { index: 1 } });
    expect(batches).toEqual([]);
  });

  it('fails at once while nobody listens, and works again without being told', async () => {
    const client = open();
    await client.sign(requests(1));
    await stop();
    await expect(client.sign(requests(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
      details: { reason: 'unreachable' },
    });
    await listen(port);
    expect(await client.sign(requests(1))).toEqual(expected(1));
  });

  it('tries once more when a connection breaks before it answers', async () => {
    let broken = 0;
    handler = (items, response, incoming) => {
      if (broken++ === 0) incoming.socket.destroy();
      else response.end(signedAnswer(items));
    };
    expect(await open().sign(requests(2))).toEqual(expected(2));
    expect(batches).toEqual([2, 2]);
  });

  it('but not twice', async () => {
    handler = (_items, _response, incoming) => void incoming.socket.destroy();
    await expect(open().sign(requests(2))).rejects.toMatchObject({ code: 'signing_unavailable' });
    expect(batches).toEqual([2, 2]);
  });

  it('keeps its connections', async () => {
    const client = open({ maxInFlight: 2 });
    let connections = 0;
    server.on('secureConnection', () => connections++);
    for (let n = 0; n < 20; n++) await Promise.all([client.sign(requests(1)), client.sign(requests(1))]);
    expect(connections).toBeLessThanOrEqual(3);
  });

  it('trusts the authority it was given and no other', async () => {
    const foreign = await TestCa.create();
    await expect(open({ ca: foreign.cert }).sign(requests(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
    });
    await expect(open({ url: `https://127.0.0.2:${port}` }).sign(requests(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
    });
    expect(batches).toEqual([]);
    expect(() => open({ url: `http://localhost:${port}` })).toThrow(/https only/);
  });

  it('reads keys and health', async () => {
    const keys = [
      {
        kid: KID,
        keyVersion: '1',
        algorithm: 'ed25519',
        publicKeyPem: 'PEM',
        purposes: ['audit'],
        backend: 'software',
        protection: 'hsm' as const,
        createdAt: null,
      },
    ];
    const health = { ok: false, backends: [{ name: 'software', ok: false, detail: 'no' }] };
    handler = (_items, response, { url }) => {
      if (url === '/v1/keys') response.end(JSON.stringify({ origin: 'kernel.example.com/test', keys }));
      else response.writeHead(503).end(JSON.stringify(health));
    };
    const client = open();
    expect(await client.keys()).toEqual(keys);
    expect(await client.health()).toEqual(health);
  });

  it.each([
    ['says nothing of', undefined],
    ['says something unknown of', 'vault in the cellar'],
  ])('takes a key for unprotected when the proxy %s its protection', async (_what, protection) => {
    handler = (_items, response) => {
      const key = {
        kid: KID,
        keyVersion: '1',
        algorithm: 'ed25519',
        publicKeyPem: 'PEM',
        purposes: ['audit'],
      };
      const keys = [{ ...key, backend: 'other', protection, createdAt: null }];
      response.end(JSON.stringify({ origin: 'kernel.example.com/test', keys }));
    };
    expect((await open().keys())[0]?.protection).toBe('unstated');
  });

  it('finishes what it has, then refuses, when it is closed', async () => {
    const client = open();
    const held = Promise.withResolvers<void>();
    handler = async (items, response) => {
      await held.promise;
      response.end(signedAnswer(items));
    };
    const running = client.sign(requests(1));
    const closing = client.close();
    await expect(client.sign(requests(1))).rejects.toMatchObject({ code: 'closed' });
    held.resolve();
    expect(await running).toEqual(expected(1));
    await closing;
    await expect(client.keys()).rejects.toMatchObject({ code: 'closed' });
  });

  it('sends with a renewed certificate, while what is under way ends with the one before', async () => {
    const names: string[] = [];
    const held = Promise.withResolvers<void>();
    handler = async (items, response, incoming) => {
      names.push((incoming.socket as TLSSocket).getPeerX509Certificate()?.subject ?? 'nobody');
      if (names.length === 2) await held.promise;
      response.end(signedAnswer(items));
    };
    let renew: (tls: SigningProxyTls) => void = () => undefined;
    const close = jest.fn();
    const renewals = { onRenewal: (listener: typeof renew) => void (renew = listener), close };
    const client = open({ renewals });
    await client.sign(requests(1));
    const running = client.sign(requests(1, 1));
    while (names.length < 2) await sleep(5);
    const { cert, key } = await ca.issueClient('kernel-2');
    renew({ ca: ca.cert, cert, key });
    const after = await client.sign(requests(40, 2));
    held.resolve();
    expect(await running).toEqual(expected(1, 1));
    expect(after).toEqual(expected(40, 2));
    expect(names).toEqual(['CN=kernel', 'CN=kernel', 'CN=kernel-2']);
    expect(close).not.toHaveBeenCalled();
    await client.close();
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('tells of every request', async () => {
    const seen: object[] = [];
    const client = open({ onBatch: ({ inputs, callers, ok }) => seen.push({ inputs, callers, ok }) });
    await Promise.all([client.sign(requests(2)), client.sign(requests(1))]);
    expect(seen).toEqual([{ inputs: 3, callers: 2, ok: true }]);
  });
});
