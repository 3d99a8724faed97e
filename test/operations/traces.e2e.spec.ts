import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  type CollectedSpan,
  describeWithCollector,
  kafkaTestsMissing,
  describeWith,
  s3Missing,
  startStack,
  TestCollector,
  type TestStack,
  WebhookReceiver,
} from '#dev/testing';
import { until } from '../faults/until';

const SERVICES = ['archiver', 'indexer', 'kernel', 'log-publisher', 'outbox-relay', 'signing-proxy'];

/** The whole stack with Kafka and S3, and a real collector. Nothing is recorded but what a caller records, and failures. */
describeWith({ missing: kafkaTestsMissing() ?? s3Missing() }, 'traces', () => {
  describeWithCollector('with a collector', () => {
    let collector: TestCollector;
    let stack: TestStack;

    beforeAll(async () => {
      collector = await TestCollector.start();
      stack = await startStack({
        workers: ['outbox-relay', 'indexer', 'archiver', 'log-publisher'],
        stream: 'kafka',
        archive: 's3',
        logLevel: 'info',
        variables: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: '0' },
      });
    }, 180_000);
    afterAll(async () => {
      await stack?.stop();
      await collector?.stop();
    }, 60_000);

    const trace = (flags: '00' | '01') => {
      const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
      return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } };
    };
    const sign = (headers: Record<string, string>) =>
      stack
        .client('OPERATOR')
        .post('/kernel/sign', { manifest: { id: 'traced', version: '1.0.0', kind: 'agent' } }, { headers });
    const named = (spans: readonly CollectedSpan[], service: string, name: string) => {
      const found = spans.find((span) => span.service === service && span.name === name);
      if (found === undefined) throw new Error(`there is no span "${name}" of ${service}`);
      return found;
    };

    it('show one signature from the edge to index, archive and checkpoint, connected', async () => {
      const { traceId, spanId, headers } = trace('01');
      expect((await sign(headers)).status).toBe(200);
      const done = (name: string) => () => collector.of(traceId).some((span) => span.name === name);
      await until('every process has told its part', () => {
        const services = new Set(collector.of(traceId).map(({ service }) => service));
        return SERVICES.every((service) => services.has(service)) && done('publish checkpoint')();
      });
      // Exported by other processes at other times: all of them are there when the parents of all are.
      await until('each span has its parent', () => {
        const ids = new Set([spanId, ...collector.of(traceId).map((span) => span.spanId)]);
        return collector.of(traceId).every(({ parentSpanId }) => ids.has(parentSpanId));
      });
      const spans = collector.of(traceId);
      const root = named(spans, 'kernel', 'POST /kernel/sign');
      expect(root.parentSpanId).toBe(spanId);
      expect(root.attributes).toMatchObject({
        'http.request.method': 'POST',
        'http.route': '/kernel/sign',
        'http.response.status_code': '200',
      });
      const group = named(spans, 'kernel', 'append group');
      for (const name of [
        'authorise',
        'validate',
        'canonicalize and hash the manifest',
        'sign the manifest',
        'append queue',
        'append group',
      ]) {
        expect(named(spans, 'kernel', name).parentSpanId).toBe(root.spanId);
      }
      for (const name of ['read heads and streams', 'number, canonicalize and hash', 'sign', 'commit']) {
        expect(named(spans, 'kernel', name).parentSpanId).toBe(group.spanId);
      }
      const published = named(spans, 'outbox-relay', 'publish event');
      expect(published.parentSpanId).toBe(root.spanId);
      for (const service of ['indexer', 'archiver', 'log-publisher']) {
        expect(named(spans, service, 'apply event').parentSpanId).toBe(published.spanId);
      }
      expect(spans.some(({ failed }) => failed)).toBe(false);
      process.stdout.write(`${collector.tree(traceId)}\n`);
    }, 90_000);

    it('record nothing that nobody asked for, but pass it on', async () => {
      const before = collector.spans.length;
      const { traceId, headers } = trace('00');
      expect((await sign(headers)).status).toBe(200);
      expect((await sign({})).status).toBe(200);
      await until('the proxy logs the trace', async () =>
        (await stack.log('signing-proxy')).includes(traceId),
      );
      await until('the kernel logs it', async () =>
        (await stack.log('kernel')).includes(`"trace_id":"${traceId}"`),
      );
      // A recorded one after them is there, and they are not.
      const last = trace('01');
      await sign(last.headers);
      await until('the last is there', () => collector.of(last.traceId).length > 0);
      expect(new Set(collector.spans.slice(before).map((span) => span.traceId))).toEqual(
        new Set([last.traceId]),
      );
    }, 60_000);

    it('go on in webhooks', async () => {
      const { cert, key } = stack.identities.kernelServer;
      const receiver = await WebhookReceiver.start({
        cert: await readFile(cert, 'utf8'),
        key: await readFile(key, 'utf8'),
      });
      try {
        const made = await stack
          .client('SUPERADMIN')
          .post('/kernel/webhooks', { url: receiver.url, filter: { subject: 'manifest/' } });
        expect(made.status).toBe(201);
        const { traceId, headers } = trace('01');
        expect((await sign(headers)).status).toBe(200);
        const sent = () =>
          receiver.received.find(({ raw }) => raw.headers['traceparent']?.includes(`-${traceId}-`));
        await until('it is delivered', () => sent() !== undefined);
        const span = () => collector.of(traceId).find(({ name }) => name === 'deliver webhook');
        await until('its delivery is recorded', () => span() !== undefined);
        expect(sent()?.raw.headers['traceparent']).toBe(`00-${traceId}-${span()?.spanId}-01`);
      } finally {
        await receiver.stop();
      }
    }, 60_000);

    it('record a failure always, under the id that the answer and the log have', async () => {
      await stack.signingProxy.kill();
      try {
        const answer = await sign({});
        expect(answer.status).toBe(503);
        const { trace_id: traceId } = answer.json as { trace_id: string };
        await until('it is recorded', () => collector.of(traceId).length > 0);
        expect(collector.of(traceId)).toMatchObject([
          { name: 'POST /kernel/sign', parentSpanId: '', failed: true },
        ]);
        await until('the kernel logs it', async () =>
          (await stack.log('kernel')).includes(`"trace_id":"${traceId}"`),
        );
        // Of a caller who records nothing: as their child.
        const called = trace('00');
        expect((await sign(called.headers)).status).toBe(503);
        await until('it is recorded', () => collector.of(called.traceId).length > 0);
        expect(collector.of(called.traceId)).toMatchObject([{ parentSpanId: called.spanId, failed: true }]);
      } finally {
        await stack.signingProxy.start();
        await stack.whenReady();
      }
    }, 60_000);

    it('are lost without harm while the collector is away', async () => {
      await collector.stop();
      const { headers } = trace('01');
      expect((await sign(headers)).status).toBe(200);
      await until('the loss is counted', async () =>
        /^kernel_trace_spans_total\{result="lost"\} [1-9]/m.test((await stack.management('/metrics')).text),
      );
      expect((await sign(headers)).status).toBe(200);
    }, 60_000);
  });
});
