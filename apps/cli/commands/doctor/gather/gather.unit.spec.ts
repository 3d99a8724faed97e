import { looked, reasonOf } from './bounded';
import { failingChecks } from './endpoints';
import { errorsIn } from './files';
import { parseMetrics, samplesOf, sumOf } from './metrics-text';

describe('metrics', () => {
  it('are read with labels, in both formats', () => {
    const metrics = parseMetrics(
      [
        '# HELP a_total x',
        'a_total{shard="0",kind="say \\"no\\""} 3',
        'a_total{shard="1"} 4 # {trace_id="abc"} 1 1700000000',
        'up 1 1700000000000',
        'odd_bucket{le="+Inf"} 7',
        'not a metric',
        '# EOF',
      ].join('\n'),
    );
    expect(samplesOf(metrics, 'a_total')).toEqual([
      { labels: { shard: '0', kind: 'say "no"' }, value: 3 },
      { labels: { shard: '1' }, value: 4 },
    ]);
    expect([sumOf(metrics, 'a_total'), sumOf(metrics, 'up'), sumOf(metrics, 'none')]).toEqual([
      7,
      1,
      undefined,
    ]);
    expect(sumOf(null, 'up')).toBeUndefined();
  });
});

describe('a look', () => {
  it('ends in time, and says why it saw nothing', async () => {
    expect(await looked(async () => Promise.resolve(7))).toEqual({ kind: 'seen', value: 7 });
    expect(await looked(() => new Promise(() => undefined), 20)).toEqual({
      kind: 'failed',
      why: 'no answer within 0.02 s',
    });
    expect(await looked(() => Promise.reject(new Error('at postgres://a:b@h/x')))).toEqual({
      kind: 'failed',
      why: 'at postgres://[redacted]@h/x',
    });
    expect(reasonOf(new AggregateError([new Error('refused')]))).toBe('refused');
  });
});

describe('readiness', () => {
  it('names the checks that fail, and none of an answer that is something else', () => {
    const text = JSON.stringify({ error: { postgres: { status: 'down', message: 'refused' }, x: {} } });
    expect(failingChecks({ status: 503, text })).toEqual({ postgres: 'refused', x: 'down' });
    expect(failingChecks({ status: 502, text: '<html>' })).toEqual({});
    expect(failingChecks({ status: 200, text })).toEqual({});
  });
});

describe('a log', () => {
  const now = Date.parse('2026-12-01T12:00:00Z');
  const line = (level: string, minutesAgo: number, msg: string) =>
    JSON.stringify({ level, time: new Date(now - minutesAgo * 60_000).toISOString(), msg });

  it('gives its recent errors, grouped by what they say whatever their numbers are', () => {
    const text = [
      line('error', 1, 'shard 3 failed'),
      line('error', 0, 'shard 14 failed'),
      line('warn', 0, 'slow'),
      line('error', 20, 'long ago'),
      '{ torn',
      '2026-12-01 11:59:30.123 UTC [17] FATAL:  could not open file',
      '2026-12-01 11:59:30.123 UTC [17] FATAL:  the database system is starting up',
      '2026-12-01 11:59:30.123 UTC [17] ERROR:  a caller made a mistake',
    ].join('\n');
    expect(errorsIn(text, now)).toEqual([
      { message: 'shard 3 failed', count: 2, last: '2026-12-01T12:00:00.000Z' },
      {
        message: 'FATAL: could not open file',
        count: 1,
        last: '2026-12-01 11:59:30.123 UTC',
      },
    ]);
  });

  it('gives a few groups however many there are', () => {
    const words = 'abcdefghijklmnop'.split('');
    expect(errorsIn(words.map((word) => line('fatal', 0, word)).join('\n'), now)).toHaveLength(5);
  });
});
