import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, type LookupFunction } from 'node:net';
import { text } from 'node:stream/consumers';
import { AddressPolicy } from './address-policy';
import { HttpClient } from './http-client';

describe('HttpClient', () => {
  let server: Server;
  let client: HttpClient;
  let answer: RequestListener;
  let cutConnections: number;
  const GET = { method: 'GET', path: '/a?b=c' } as const;

  beforeEach(async () => {
    cutConnections = 0;
    server = createServer((request, response) => {
      response.on('close', () => {
        if (!response.writableFinished) cutConnections++;
      });
      answer(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = new HttpClient({
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      connections: 1,
      connectTimeoutMs: 5_000,
    });
  });
  afterEach(async () => {
    await client.destroy();
    server.closeAllConnections();
    server.close();
  });

  it('sends what it is given, and takes in the whole answer', async () => {
    answer = (request, response) => {
      response.writeHead(201, { 'X-Once': 'one', 'Set-Cookie': ['a', 'b'] });
      response.write(`${request.method} ${request.url} ${String(request.headers['x-asked'])} `);
      request.pipe(response);
    };
    const request = { method: 'POST', path: '/a?b=c', headers: { 'x-asked': 'yes' }, body: 'body' } as const;
    const { status, headers, bytes } = await client.exchange(request, { maxBytes: 1_000 });
    expect([status, bytes.toString()]).toEqual([201, 'POST /a?b=c yes body']);
    expect(headers).toMatchObject({ 'x-once': 'one' });
    expect(headers).not.toHaveProperty('set-cookie');
  });

  it('takes no longer body than it may, and does not follow redirects', async () => {
    answer = (_, response) => response.writeHead(302, { location: '/other' }).end('x'.repeat(1_000));
    expect((await client.exchange(GET, { maxBytes: 1_000 })).status).toBe(302);
    await expect(client.exchange(GET, { maxBytes: 999 })).rejects.toThrow('more than 999 bytes');
  });

  it('ends by the signal: before it starts, while it waits for a connection, and while it is answered', async () => {
    const asked = Promise.withResolvers<void>();
    answer = (_, response) => {
      response.write('the beginning');
      asked.resolve();
    };
    const abort = new AbortController();
    const given = { signal: abort.signal, maxBytes: 1_000 };
    const answered = expect(client.exchange(GET, given)).rejects.toThrow('not wanted');
    const waiting = expect(client.exchange(GET, given)).rejects.toThrow('not wanted');
    await asked.promise;
    abort.abort(new Error('not wanted'));
    await Promise.all([answered, waiting]);
    await expect(client.exchange(GET, given)).rejects.toThrow('not wanted');
    answer = (_, response) => response.end('next');
    expect((await client.exchange(GET, { maxBytes: 4 })).bytes.toString()).toBe('next');
    expect(cutConnections).toBe(1);
  });

  it('ends by what it hands out at the start', async () => {
    answer = () => undefined;
    const exchange = client.exchange(GET, {
      maxBytes: 1,
      onStart: (abort) => setTimeout(() => abort(new Error('given up')), 5),
    });
    await expect(exchange).rejects.toThrow('given up');
  });

  it('is content with a status where that is enough, whatever becomes of the body', async () => {
    const enough = { maxBytes: 10, statusIsEnough: true };
    answer = (_, response) => response.writeHead(200).end('x'.repeat(100));
    expect((await client.exchange(GET, enough)).status).toBe(200);
    answer = (_, response) => response.writeHead(202).write('x');
    const late = AbortSignal.timeout(200);
    expect((await client.exchange(GET, { ...enough, signal: late })).status).toBe(202);
    answer = (request) => request.socket.destroy();
    await expect(client.exchange(GET, enough)).rejects.toThrow();
  });

  it('fails when an answer stalls for longer than it may', async () => {
    answer = () => undefined;
    const { port } = server.address() as AddressInfo;
    const impatient = new HttpClient({
      origin: `http://127.0.0.1:${port}`,
      connections: 1,
      connectTimeoutMs: 5_000,
      idleTimeoutMs: 1_000,
    });
    await expect(impatient.exchange(GET, { maxBytes: 1 })).rejects.toMatchObject({
      code: 'UND_ERR_HEADERS_TIMEOUT',
    });
    await impatient.destroy();
  });

  it('lets what is under way end on its connection when it is renewed', async () => {
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const ports: (number | undefined)[] = [];
    answer = (request, response) => {
      ports.push(request.socket.remotePort);
      asked.resolve();
      const ready = ports.length === 1 ? held.promise : Promise.resolve();
      void ready.then(() => response.end('answered'));
    };
    const before = client.exchange(GET, { maxBytes: 100 });
    await asked.promise;
    client.renew({});
    expect((await client.exchange(GET, { maxBytes: 100 })).status).toBe(200);
    held.resolve();
    expect((await before).bytes.toString()).toBe('answered');
    expect(new Set(ports).size).toBe(2);
  });

  it('streams a body of any length', async () => {
    answer = (_, response) => response.end('x'.repeat(1_000_000));
    const { status, body } = await client.stream(GET);
    expect(status).toBe(200);
    expect(await text(body)).toHaveLength(1_000_000);
  });

  it('connects only to the addresses that it may, by name and by number', async () => {
    let reached = 0;
    answer = (_, response) => {
      reached++;
      response.end();
    };
    const { port } = server.address() as AddressInfo;
    const through = async (host: string, networks: string[]) => {
      const guarded = new HttpClient({
        origin: `http://${host}:${port}`,
        connections: 1,
        connectTimeoutMs: 5_000,
        addresses: new AddressPolicy(networks),
      });
      try {
        return (await guarded.exchange(GET, { maxBytes: 100 })).status;
      } finally {
        await guarded.destroy();
      }
    };
    for (const host of ['127.0.0.1', 'localhost', '2130706433', '[::ffff:127.0.0.1]']) {
      await expect(through(host, ['10.0.0.0/8'])).rejects.toMatchObject({ code: 'address_refused' });
    }
    expect(reached).toBe(0);
    expect(await through('127.0.0.1', ['127.0.0.0/8'])).toBe(200);
    expect(await through('localhost', ['127.0.0.0/8', '::1/128'])).toBe(200);
  });

  it('sends nothing to an address that a name was not judged by', async () => {
    let reached = 0;
    answer = (_, response) => {
      reached++;
      response.end();
    };
    /** A resolver that answers otherwise than it was judged, as if the name led elsewhere a moment later. */
    class Rebinding extends AddressPolicy {
      override get lookup(): LookupFunction {
        return (_, { all }, done) => {
          if (all === true) done(null, [{ address: '127.0.0.1', family: 4 }]);
          else done(null, '127.0.0.1', 4);
        };
      }
    }
    const guarded = new HttpClient({
      origin: `http://hooks.example.com:${(server.address() as AddressInfo).port}`,
      connections: 1,
      connectTimeoutMs: 5_000,
      addresses: new Rebinding([]),
    });
    await expect(guarded.exchange(GET, { maxBytes: 100 })).rejects.toMatchObject({ code: 'address_refused' });
    await guarded.destroy();
    expect(reached).toBe(0);
  });
});
