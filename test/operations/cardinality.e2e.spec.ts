import { randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { readFileSync } from 'node:fs';
import { probe } from '#dev/devstack';
import { MtlsClient, startStack, type TestStack } from '#dev/testing';

const ROUNDS = 40;

/** What a caller sends makes no series: else anyone could fill Prometheus, and the memory of the process. */
describe('the number of series', () => {
  let stack: TestStack;
  let proxy: MtlsClient;

  beforeAll(async () => {
    stack = await startStack();
    const { callers, caCert } = stack.identities;
    proxy = new MtlsClient(stack.signingProxyUrl, { ca: caCert, identity: callers.OPERATOR });
  }, 120_000);
  afterAll(async () => {
    await proxy?.close();
    await stack?.stop();
  }, 60_000);

  const word = (): string => randomBytes(9).toString('hex');

  /** Series of kernel and proxy, without those that Node.js has of its own resources. */
  const series = async (): Promise<Set<string>> => {
    const texts = await Promise.all(
      [stack.kernels[0]?.managementUrl ?? '', stack.signingProxyManagementUrl].map(
        async (url) => `${(await probe(`${url}/metrics`)).text}`,
      ),
    );
    const lines = texts.flatMap((text, n) => text.split('\n').map((line) => [n, line] as const));
    return new Set(
      lines
        .filter(([, line]) => line !== '' && !/^(#|nodejs_|process_)/.test(line))
        .map(([n, line]) => `${n} ${line.replace(/ [^ ]+$/, '')}`),
    );
  };

  /** Bytes as they are, to where HTTP is spoken, until the answer has ended. */
  const raw = (bytes: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(stack.kernels[0]?.apiUrl ?? '');
      const identity = stack.identities.callers.OPERATOR;
      let answer = '';
      const socket = connect(
        {
          host: hostname,
          port: Number(port),
          ca: readFileSync(stack.identities.caCert),
          cert: readFileSync(identity.cert),
          key: readFileSync(identity.key),
        },
        () => socket.end(bytes),
      );
      socket.on('data', (part: Buffer) => (answer += part.toString('latin1')));
      socket.on('error', reject);
      socket.on('close', () => resolve(answer.split('\r\n', 1)[0] ?? ''));
    });

  /** One round of everything that a caller chooses; each returns how it was answered. */
  const hostile: Readonly<Record<string, () => Promise<unknown>>> = {
    'a path': async () => (await stack.client('OPERATOR').get(`/${word()}/${word()}`)).status,
    'a path below a route': async () => (await stack.client('OPERATOR').get(`/kernel/sign/${word()}`)).status,
    'a division': async () => (await stack.client('OPERATOR').get(`/kernel/division/${word()}`)).status,
    'an agent': async () => (await stack.client('OPERATOR').get(`/kernel/agent/${word()}/state`)).status,
    'an event': async () => (await stack.client('OPERATOR').get(`/kernel/audit/${word()}`)).status,
    'a query': async () =>
      (await stack.client('OPERATOR').get(`/kernel/audit?${word()}=${word()}&limit=${word()}`)).status,
    'a method that HTTP knows': () =>
      raw(`PROPFIND /kernel/${word()} HTTP/1.1\r\nHost: kernel\r\nConnection: close\r\n\r\n`),
    'a method that it does not know': () =>
      raw(`${word().toUpperCase()} /kernel/sign HTTP/1.1\r\nHost: kernel\r\nConnection: close\r\n\r\n`),
    'no HTTP': () => raw(`${word()}\r\n\r\n`),
    'ids of request and trace, and who it is': async () =>
      (
        await stack.client('OPERATOR').get('/kernel/audit?limit=1', {
          headers: {
            'x-request-id': word(),
            traceparent: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
            'user-agent': word(),
            [`x-${word()}`]: word(),
          },
        })
      ).status,
    'a type and a subject of an event': async () =>
      (
        await stack
          .client('OPERATOR')
          .post(
            '/kernel/audit',
            { type: `test.${word()}`, payload: { [word()]: word() } },
            { idempotencyKey: true },
          )
      ).status,
    'a manifest': async () =>
      (
        await stack
          .client('OPERATOR')
          .post('/kernel/sign', { manifest: { id: word(), version: '1.0.0', kind: word() } })
      ).status,
    'a body of the wrong shape': async () =>
      (await stack.client('OPERATOR').post('/kernel/sign', { [word()]: word() })).status,
    'a caller without rights': async () =>
      (await stack.client('AUDITOR').post('/kernel/sign', { manifest: { id: word() } })).status,
    'a key of the proxy, by a client that it does not know': async () =>
      (
        await proxy.post('/v1/sign', {
          requests: [{ kid: word(), purpose: 'manifest', input: Buffer.from(word()).toString('base64') }],
        })
      ).status,
    'a path of the proxy': async () => (await proxy.get(`/v1/${word()}`)).status,
  };

  it('does not grow with what callers send', async () => {
    // The first of each kind makes the series of its kind: these have a bound, the sources.
    for (let n = 0; n < 3; n++) for (const send of Object.values(hostile)) await send();
    const before = await series();
    const answered = new Map<string, Set<unknown>>();
    for (const [what, send] of Object.entries(hostile)) {
      const answers = await Promise.all(Array.from({ length: ROUNDS }, () => send()));
      answered.set(what, new Set(answers));
    }
    // Each kind was answered in one way, so that all of it came where it was sent.
    for (const [what, answers] of answered) expect([what, answers.size]).toEqual([what, 1]);
    const after = await series();
    expect([...after].filter((one) => !before.has(one))).toEqual([]);
    expect(after.size).toBeGreaterThan(300);
    process.stdout.write(
      `${after.size} series before and after ${ROUNDS} times: ${[...answered].map(([what, [answer]]) => `${what} (${String(answer)})`).join(', ')}\n`,
    );
  }, 90_000);
});
