import { randomBytes } from 'node:crypto';
import {
  describeWith,
  describeWithCollector,
  prometheusMissing,
  type QueriedExemplar,
  startStack,
  TestCollector,
  TestPrometheus,
  type TestStack,
} from '#dev/testing';
import { until } from '../faults/until';

/** A slow request is found by its trace: kernel, proxy, collector and Prometheus are real. */
describeWith({ missing: prometheusMissing() }, 'exemplars', () => {
  describeWithCollector('with a collector', () => {
    let collector: TestCollector;
    let stack: TestStack;
    let prometheus: TestPrometheus;

    beforeAll(async () => {
      collector = await TestCollector.start();
      stack = await startStack({
        variables: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: '0' },
      });
      prometheus = await TestPrometheus.over(stack);
    }, 120_000);
    afterAll(async () => {
      await prometheus?.stop();
      await stack?.stop();
      await collector?.stop();
    }, 60_000);

    const sign = async (traceId?: string): Promise<void> => {
      const traceparent = `00-${traceId}-${randomBytes(8).toString('hex')}-01`;
      const { status } = await stack
        .client('OPERATOR')
        .post(
          '/kernel/sign',
          { manifest: { id: 'exemplary', version: '1.0.0', kind: 'agent' } },
          { headers: traceId === undefined ? {} : { traceparent } },
        );
      expect(status).toBe(200);
    };

    it('of requests, appends and signatures name the trace that the collector has', async () => {
      const traceId = randomBytes(16).toString('hex');
      // Others are not recorded, and have none.
      for (let n = 0; n < 5; n++) await sign();
      await sign(traceId);
      for (const [histogram, labels] of [
        ['http_request_duration_seconds', { component: 'kernel', route: '/kernel/sign' }],
        ['audit_append_duration_seconds', {}],
        ['audit_commit_duration_seconds', {}],
        ['audit_sign_duration_seconds', {}],
        ['signing_proxy_sign_duration_seconds', {}],
      ] as const) {
        let found: QueriedExemplar[] = [];
        await until(`${histogram} has an exemplar`, async () => {
          found = await prometheus.exemplars(`${histogram}_bucket`);
          return found.some(({ series }) =>
            Object.entries(labels).every(([label, value]) => series[label] === value),
          );
        });
        expect([histogram, new Set(found.map((one) => one.traceId))]).toEqual([
          histogram,
          new Set([traceId]),
        ]);
      }
      await until('the collector has the trace', () =>
        ['kernel', 'signing-proxy'].every((service) =>
          collector.of(traceId).some((span) => span.service === service),
        ),
      );
      const root = collector.of(traceId).find(({ name }) => name === 'POST /kernel/sign');
      const [request] = (await prometheus.exemplars('http_request_duration_seconds_bucket')).filter(
        ({ series }) => series['route'] === '/kernel/sign',
      );
      // The same request: the time of its exemplar is that of its span.
      expect(Math.abs((request?.value ?? 0) * 1_000 - (root?.ms ?? Infinity))).toBeLessThan(50);
    }, 60_000);

    it('leave both formats the same series', async () => {
      const names = async (accept: string): Promise<string[]> => {
        const response = await fetch(`${stack.kernels[0]?.managementUrl}/metrics`, { headers: { accept } });
        const text = await response.text();
        return text
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith('#'))
          .map((line) => line.replace(/ # \{.*$/, '').replace(/ [^ ]+$/, ''))
          .filter((series) => !series.startsWith('nodejs_'))
          .sort();
      };
      await names('*/*');
      const plain = await names('text/plain');
      expect(plain.length).toBeGreaterThan(100);
      expect(await names('application/openmetrics-text;version=1.0.0')).toEqual(plain);
    });
  });
});
