import { once } from 'node:events';
import { connect } from 'node:net';
import { Counter, Histogram, Registry } from 'prom-client';
import { createLogger } from '../logs/logger';
import { observeTraced, tracedHistogram } from '../metrics/traced-histogram';
import { startManagementServer, type ManagementServer, type ReadinessCheck } from './management-server';

const lines: Record<string, unknown>[] = [];
const logger = createLogger({
  app: 'test',
  level: 'info',
  destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
});

describe('the management server', () => {
  let server: ManagementServer;
  let registry: Registry;

  async function start(checks: Record<string, ReadinessCheck>, diskFolder?: string): Promise<void> {
    lines.length = 0;
    registry = new Registry();
    server = await startManagementServer({
      host: '127.0.0.1',
      port: 0,
      checks,
      logger,
      registry,
      checkTimeoutMs: 50,
      diskFolder,
    });
  }
  interface Body {
    status: string;
    error: Record<string, { message: string }>;
    details: Record<string, unknown>;
  }
  async function get(path: string): Promise<{ status: number; body: Body; text: string; headers: Headers }> {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    const text = await response.text();
    const json = response.headers.get('content-type')?.includes('json') === true;
    const body = (json ? JSON.parse(text) : {}) as Body;
    return { status: response.status, body, text, headers: response.headers };
  }
  afterEach(() => server.close());

  it('is ready when every check passes, and shows what they found', async () => {
    await start({ postgres: async () => ({ migrations: 3, status: 'x' }), signer: async () => undefined });
    const { status, body, headers } = await get('/ready');
    expect(status).toBe(200);
    expect(body.status).toBe('ok');
    expect(body.details['postgres']).toMatchObject({ status: 'up', migrations: 3 });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('is ready while the disk of its folder has room', async () => {
    // How it looks without room: test/launcher/full-disk.e2e.spec.ts.
    await start({}, __dirname);
    expect((await get('/ready')).body.details['disk']).toMatchObject({ status: 'up' });
    await server.close();
    await start({}, '/nowhere/at all');
    expect((await get('/ready')).body.error['disk']?.message).toBe(
      'The disk of /nowhere/at all cannot be examined (ENOENT).',
    );
  });

  it('says which check failed and why, without credentials, and stays alive', async () => {
    let fail = true;
    await start({
      postgres: async () => {
        if (fail) throw new Error('cannot reach postgres://kernel:hunter2@db/kernel');
      },
      signer: () => new Promise(() => undefined),
    });
    const { status, body } = await get('/ready');
    expect(status).toBe(503);
    expect(body.error['postgres']?.message).toBe('cannot reach postgres://[redacted]@db/kernel');
    expect(body.error['signer']?.message).toContain('timeout of 50ms');
    expect((await get('/health')).status).toBe(200);
    expect(JSON.stringify(lines)).toContain('not ready');
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    fail = false;
  });

  it('runs the checks once for many probes', async () => {
    let runs = 0;
    await start({ postgres: async () => void runs++ });
    await Promise.all(Array.from({ length: 20 }, () => get('/ready')));
    expect(runs).toBeLessThan(3);
  });

  it('goes red, not dead, when it drains', async () => {
    await start({});
    expect((await get('/ready')).status).toBe(200);
    server.drain();
    const { status, body } = await get('/ready');
    expect([status, body.error['lifecycle']?.message]).toEqual([503, 'The process is shutting down.']);
    expect((await get('/health')).status).toBe(200);
  });

  it('shows process metrics and those of the program, from the given registry', async () => {
    await start({});
    new Histogram({ name: 'append_seconds', help: 'x', registers: [registry], buckets: [1] }).observe(0.5);
    const { text, headers } = await get('/metrics');
    expect(headers.get('content-type')).toContain('text/plain');
    expect(text).toContain('append_seconds_bucket{le="1"} 1');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect(text).toContain('process_resident_memory_bytes');
  });

  it('serves exemplars to those who accept OpenMetrics, and the plain text to all others', async () => {
    await start({});
    const registers = [registry];
    new Counter({ name: 'events_total', help: 'x', registers }).inc(3);
    const seconds = tracedHistogram({ name: 'append_seconds', help: 'x', buckets: [1] }, registry);
    observeTraced(seconds, {}, 0.5, 'a'.repeat(32));
    observeTraced(seconds, {}, 0.25, undefined);
    const scraped = async (accept: string) => {
      const response = await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers: { accept } });
      return { type: response.headers.get('content-type') ?? '', text: await response.text() };
    };
    const prometheus =
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1';
    const open = await scraped(prometheus);
    expect(open.type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(open.text).toMatch(/^append_seconds_bucket\{le="1"\} 2 # \{trace_id="a{32}"\} 0\.5 \d+(\.\d+)?$/m);
    expect(open.text).toMatch(/^# TYPE events counter\nevents_total 3$/m);
    expect(open.text.endsWith('\n# EOF\n')).toBe(true);
    for (const accept of ['*/*', 'text/plain', 'application/openmetrics-text;q=0.3,text/plain', 'x/y;q=z']) {
      const plain = await scraped(accept);
      expect(plain.type).toBe('text/plain; version=0.0.4; charset=utf-8');
      // The same names as before the scrape in the other format.
      expect(plain.text).toMatch(/^# TYPE events_total counter\nevents_total 3$/m);
      expect(plain.text).toContain('append_seconds_bucket{le="1"} 2\n');
      expect(plain.text).not.toContain('trace_id');
    }
  });

  it('serves nothing else, and shows no stack', async () => {
    await start({});
    const { status, text } = await get('/kernel/keys');
    expect(status).toBe(404);
    expect(text).not.toContain(' at ');
  });

  it('closes although a client keeps a connection open', async () => {
    await start({});
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    await server.close();
    await closed;
  });
});
