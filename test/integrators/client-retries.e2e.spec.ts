import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { workTree } from '#dev/testing';

const run = promisify(execFile);
const APPENDED = { events: [{ id: 'x', shard: 0, seq: 1, hash: 'h' }], position: '0:1' };

/** A kernel that answers what a test says, and the requests that it got: faults that a real one has only by chance. */
describe('the client for TypeScript', () => {
  let folder: string;
  let server: Server;
  let requests: { key: string | undefined; lastId: string | undefined; at: number }[];
  let answers: ((response: ServerResponse, request: IncomingMessage) => void)[];

  beforeAll(async () => {
    await mkdir(join(workTree(), '.build'), { recursive: true });
    // In the tree, where its packages are found.
    folder = await mkdtemp(join(workTree(), '.build', 'client-'));
    await run(process.execPath, [join(workTree(), 'scripts', 'build-client.mjs'), folder]);
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    requests = [];
    server = createServer((request, response) => {
      request.resume().on('end', () => {
        const { 'idempotency-key': key, 'last-event-id': lastId } = request.headers;
        requests.push({
          key: key as string | undefined,
          lastId: lastId as string | undefined,
          at: performance.now(),
        });
        const answer = answers[requests.length - 1] ?? answers.at(-1);
        answer?.(response, request);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const json =
    (status: number, body: object, headers: Record<string, string> = {}) =>
    (response: ServerResponse) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
  const busy = json(503, { error: 'overloaded', detail: 'Later.', error_id: 'e-1' }, { 'retry-after': '1' });
  const broken = (response: ServerResponse) => void response.destroy();

  /** What a program with a client prints. */
  async function client(code: string, retry: object = {}): Promise<unknown> {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const program = `
      import { KernelClient } from ${JSON.stringify(join(folder, 'index.js'))};
      const kernel = new KernelClient({ url: '${url}', ca: '', cert: '', key: '', retry: ${JSON.stringify(retry)} });
      const event = { type: 'a.done', payload: {} };
      const refusal = ({ name, status, error, errorId, message }) => ({ name, status, error, errorId, message });
      console.log(JSON.stringify(await (async () => { ${code} })()));
      await kernel.close();`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
      cwd: workTree(),
    });
    return JSON.parse(stdout);
  }

  it('repeats a write after the time that the kernel asks for, under the same key', async () => {
    answers = [busy, broken, busy, json(201, APPENDED)];
    expect(await client('return kernel.append(event);')).toEqual(APPENDED);
    expect(requests).toHaveLength(4);
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
    expect(requests[0]?.key).toMatch(/^[0-9a-f-]{36}$/);
    expect((requests[1]?.at ?? 0) - (requests[0]?.at ?? 0)).toBeGreaterThanOrEqual(990);
  });

  it("keeps the caller's own key", async () => {
    answers = [broken, json(201, APPENDED)];
    await client(`return kernel.append(event, { idempotencyKey: 'mine' });`);
    expect(requests.map(({ key }) => key)).toEqual(['mine', 'mine']);
  });

  it('does not repeat what will fail again', async () => {
    answers = [json(422, { error: 'idempotency_mismatch', detail: 'Another body.' })];
    expect(await client('return kernel.append(event).catch(refusal);')).toEqual({
      name: 'KernelError',
      status: 422,
      error: 'idempotency_mismatch',
      message: 'Another body.',
    });
    expect(requests).toHaveLength(1);
  });

  it('gives up in the end, with what the kernel said', async () => {
    answers = [busy];
    expect(await client('return kernel.append(event).catch(refusal);', { attempts: 2 })).toMatchObject({
      status: 503,
      error: 'overloaded',
      errorId: 'e-1',
    });
    expect(requests).toHaveLength(2);
  });

  it('follows the stream over broken connections from where it was, also when nothing matched', async () => {
    const stream =
      (...frames: string[]) =>
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(frames.join(''), () => setTimeout(() => response.destroy(), 50));
      };
    answers = [
      stream('retry: 1\nid: 0:1\n\n'),
      stream('id: 0:1\n\n', 'id: 0:4\ndata: {"seq":4}\n\n', ': \nid: 0:9\n\n', 'id: 0:10\nda'),
      json(503, {}),
      stream('id: 0:12\ndata: {"seq":12}\n\n'),
    ];
    const code = `
      const seen = [];
      for await (const { id, event } of kernel.stream()) if (seen.push([id, event.seq]) === 2) return seen;`;
    expect(await client(code)).toEqual([
      ['0:4', 4],
      ['0:12', 12],
    ]);
    expect(requests.map(({ lastId }) => lastId)).toEqual([undefined, '0:1', '0:9', '0:9']);
  });
});
