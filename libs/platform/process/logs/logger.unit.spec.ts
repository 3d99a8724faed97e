import { Registry } from 'prom-client';
import { runInLogContext } from './log-context';
import { createLogger, type Logger, type LogLevel } from './logger';
import { NestLogger } from './nest-logger';
import { RequestObserver } from '../metrics/request-observer';

interface Line {
  level: string;
  msg: string;
  [member: string]: unknown;
}
let lines: Line[] = [];
function logger(level: LogLevel = 'trace'): Logger {
  lines = [];
  return createLogger({
    app: 'kernel',
    level,
    destination: { write: (line) => void lines.push(JSON.parse(line) as Line) },
  });
}

describe('the logger', () => {
  it('writes one JSON object a line, with the level as a word and the time in UTC', () => {
    logger().info({ port: 8443 }, 'listening');
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        app: 'kernel',
        pid: process.pid,
        port: 8443,
        msg: 'listening',
      },
    ]);
  });

  it('adds request and principal to every line of a request, also after an await', async () => {
    const log = logger();
    await runInLogContext({ requestId: 'r-1', principalId: 'alice' }, async () => {
      await Promise.resolve();
      log.info('inside');
    });
    log.info('outside');
    expect(lines[0]).toMatchObject({ request_id: 'r-1', principal_id: 'alice' });
    expect(lines[1]).not.toHaveProperty('request_id');
  });

  it('does not write payloads or secrets that slip in', () => {
    logger().info({ payload: { a: 'X1' }, token: 'X2', headers: { authorization: 'X3' }, body: 'X4' }, 'x');
    expect(JSON.stringify(lines)).not.toMatch(/X[1-4]/);
  });

  it('writes an error with code and causes, but not what a driver attached to it', () => {
    const cause = Object.assign(new Error('connect postgres://kernel:hunter2@db/x failed'), {
      code: 'ECONNREFUSED',
      query: 'INSERT ...',
      parameters: ['hunter3'],
    });
    logger().error({ err: new Error('append failed', { cause }) }, 'x');
    expect(lines[0]?.['err']).toMatchObject({
      message: 'append failed: connect postgres://[redacted]@db/x failed',
      stack: expect.stringContaining('caused by'),
    });
    expect(JSON.stringify(lines)).not.toMatch(/hunter|INSERT/);
  });

  it('takes what Nest has to say', () => {
    const nest = new NestLogger(logger());
    nest.log('Mapped {/, GET} route', 'RouterExplorer');
    nest.log('caught up', 'Relay');
    nest.error('broken', 'stack at x', 'Router');
    nest.warn({ odd: 1 });
    nest.error(new Error('thrown'));
    expect(lines.map((l) => [l.level, l.msg, l['component']])).toEqual([
      ['debug', 'Mapped {/, GET} route', 'RouterExplorer'],
      ['info', 'caught up', 'Relay'],
      ['error', 'broken', 'Router'],
      ['warn', '{"odd":1}', undefined],
      ['error', 'thrown', undefined],
    ]);
    expect(lines[2]?.['stack']).toBe('stack at x');
  });
});

describe('the request observer', () => {
  const record = { requestId: 'r', method: 'POST', route: '/kernel/sign', status: 200, ms: 12.3456 };

  it('counts and times by route template, method and status', async () => {
    const registry = new Registry();
    const observer = new RequestObserver(logger('info'), registry);
    observer.answered(record);
    observer.answered({ ...record, status: 503, errorId: 'e-1' });
    observer.setInFlight(3);
    observer.refusedRaw(408);
    const text = await registry.metrics();
    expect(text).toContain('http_requests_total{method="POST",route="/kernel/sign",status="200"} 1');
    expect(text).toMatch(/http_request_duration_seconds_bucket\{le="0.01",.*status="200"\} 0/);
    expect(text).toMatch(/http_request_duration_seconds_bucket\{le="0.015",.*status="200"\} 1/);
    expect(text).toContain('http_requests_in_flight 3');
    expect(text).toContain('http_malformed_requests_total{status="408"} 1');
    expect(lines.map((l) => [l.level, l['request_id'], l['ms'], l['error_id']])).toEqual([
      ['info', 'r', 12.35, undefined],
      ['warn', 'r', 12.35, 'e-1'],
    ]);
  });
});
