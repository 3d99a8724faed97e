import { randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { readFileSync } from 'node:fs';
import { probe } from '#dev/devstack';
import { MtlsClient, startStack, type TestStack } from '#dev/testing';
import { until } from '../faults/until';

/** Of each kind of input in a round. */
const TIMES = 20;
const ROUNDS = 5;

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

  const word = (): string => `w${randomBytes(9).toString('hex')}`;

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

  /** Sends each kind of input several times; returns how each was answered. */
  const round = async (times: number): Promise<Map<string, Set<unknown>>> => {
    const answered = new Map<string, Set<unknown>>();
    for (const [what, send] of Object.entries(hostile)) {
      answered.set(what, new Set(await Promise.all(Array.from({ length: times }, () => send()))));
    }
    return answered;
  };

  it('does not grow with what callers send', async () => {
    // The first of each kind makes the series of its kind, whose number the sources bound.
    const answered = await round(1);
    // They came where they were sent: what is written was written.
    expect(answered.get('a type and a subject of an event')).toEqual(new Set([201]));
    expect(answered.get('a manifest')).toEqual(new Set([200]));
    expect(answered.get('a method that it does not know')).toEqual(new Set(['HTTP/1.1 501 Not Implemented']));
    await until('the series that come with time are there', async () =>
      [...(await series())].some((one) => one.includes('kernel_key_age_seconds{')),
    );
    // On a busy machine a round may be the first with a 503. A series of a caller's making would be new in every round.
    let added: string[] = [];
    let size = 0;
    for (let n = 0; n < ROUNDS; n++) {
      const before = await series();
      await round(TIMES);
      const after = await series();
      added = [...after].filter((one) => !before.has(one));
      size = after.size;
      if (added.length === 0) break;
    }
    expect(added).toEqual([]);
    const names = [...(await series())];
    expect(names.filter((one) => /w[0-9a-f]{18}/i.test(one))).toEqual([]);
    expect(size).toBeGreaterThan(300);
    const answers = [...answered].map(([what, [answer]]) => `${what} (${String(answer)})`).join(', ');
    process.stdout.write(`${size} series before and after ${TIMES} of each: ${answers}\n`);
  }, 120_000);
});
