import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import {
  beginServing,
  currentPlace,
  currentTraceId,
  placeOf,
  recordFailure,
  recordPart,
  startTracing,
  traced,
} from './tracing';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const HEADER = { sampled: `00-${TRACE}-${SPAN}-01`, unsampled: `00-${TRACE}-${SPAN}-00` };

describe('without a collector', () => {
  it('nothing is begun for a caller without a trace', () => {
    expect(beginServing('GET', undefined)).toBeUndefined();
    expect(beginServing('GET', 'nonsense')).toBeUndefined();
    expect(currentPlace()).toBeUndefined();
  });

  it.each(Object.values(HEADER))('%s is passed on as it came, also after an await', async (header) => {
    const serving = beginServing('GET', header);
    await serving?.run(async () => {
      await Promise.resolve();
      expect(currentTraceId()).toBe(TRACE);
      expect(traced('a part', () => currentPlace()?.traceparent)).toBe(header);
    });
    serving?.end();
    expect(currentPlace()).toBeUndefined();
  });
});

describe('with a collector', () => {
  let exporter: InMemorySpanExporter;
  let stop: () => Promise<void>;
  let exported: [spans: number, failure: Error | null][];

  const begin = (ratio: number): void => {
    exporter = new InMemorySpanExporter();
    exported = [];
    const keeps = exporter;
    // The exporter forgets its spans when it is shut down.
    const collector = {
      export: (...args: Parameters<typeof keeps.export>) => keeps.export(...args),
      shutdown: () => Promise.resolve(),
    };
    stop = startTracing({
      app: 'test',
      instance: 'test/1',
      collector,
      ratio,
      exported: (...told) => void exported.push(told),
    });
  };
  /** Name, trace and parent of all, in the order of their ends. */
  const recorded = async () => {
    await stop();
    return exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      trace: span.spanContext().traceId,
      id: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
    }));
  };
  afterEach(() => stop());

  it('records what the caller records, with its parts under it', async () => {
    begin(0);
    const serving = beginServing('GET', HEADER.sampled);
    const inner = await serving?.run(() => traced('outer', async () => traced('inner', currentPlace)));
    serving?.end();
    const [part, outer, root] = await recorded();
    expect(root).toMatchObject({ name: 'GET', trace: TRACE, parent: SPAN });
    expect(outer).toMatchObject({ name: 'outer', trace: TRACE, parent: root?.id });
    expect(part).toMatchObject({ name: 'inner', trace: TRACE, parent: outer?.id });
    expect(inner?.traceparent).toBe(`00-${TRACE}-${part?.id}-01`);
    expect(exported).toEqual([[3, null]]);
  });

  it('records nothing that the caller does not, whatever the ratio', async () => {
    begin(1);
    const serving = beginServing('GET', HEADER.unsampled);
    expect(serving?.run(() => traced('a part', () => currentPlace()?.isSampled))).toBe(false);
    serving?.end();
    expect(await recorded()).toEqual([]);
  });

  it.each([
    [0, 0],
    [1, 50],
  ])('records of what begins here the part %d', async (ratio, count) => {
    begin(ratio);
    for (let n = 0; n < 50; n++) beginServing('GET', undefined)?.end();
    expect(await recorded()).toHaveLength(count);
  });

  it('records a failure afterwards, by the ids that were told', async () => {
    begin(0);
    const parts = { startedAt: Date.now(), attributes: {}, failure: new Error('answered with 503') };
    const own = beginServing('POST', undefined);
    if (own !== undefined) recordFailure('POST /own', own, undefined, parts);
    const called = beginServing('POST', HEADER.unsampled);
    if (called !== undefined) recordFailure('POST /called', called, HEADER.unsampled, parts);
    const [first, second] = await recorded();
    expect(first).toMatchObject({ name: 'POST /own', trace: own?.traceId, parent: undefined });
    expect(own?.traceparent).toBe(`00-${first?.trace}-${first?.id}-00`);
    expect(second).toMatchObject({ name: 'POST /called', trace: TRACE, parent: SPAN });
  });

  it('records a part that is over, and none for what is no header', async () => {
    begin(0);
    recordPart('apply event', HEADER.sampled, { kind: 'consumer', startedAt: Date.now() - 10 });
    recordPart('apply event', HEADER.unsampled, { kind: 'consumer' });
    recordPart('apply event', 'forged', { kind: 'consumer' });
    expect(await recorded()).toMatchObject([{ name: 'apply event', trace: TRACE, parent: SPAN }]);
  });

  it('ends a part that fails, with its failure', async () => {
    begin(0);
    const serving = beginServing('GET', HEADER.sampled);
    await expect(
      serving?.run(() => traced('a part', () => Promise.reject(new TypeError('no')))),
    ).rejects.toThrow('no');
    expect(() => serving?.run(() => traced('another', () => JSON.parse('{')))).toThrow(SyntaxError);
    serving?.end();
    await stop();
    expect(
      exporter.getFinishedSpans().map(({ name, status, attributes }) => [name, status.code, attributes]),
    ).toEqual([
      ['a part', 2, { 'error.type': 'TypeError' }],
      ['another', 2, { 'error.type': 'SyntaxError' }],
      ['GET', 0, {}],
    ]);
  });

  it('names the others that it is done for, too', async () => {
    begin(1);
    const [one, other] = [beginServing('GET', undefined), beginServing('GET', undefined)];
    one?.child('group', { links: other === undefined ? [] : [other] }).end();
    await stop();
    const [group] = exporter.getFinishedSpans();
    expect(group?.links.map(({ context }) => context.traceId)).toEqual([other?.traceId]);
    expect(placeOf(other?.traceparent)?.traceId).toBe(other?.traceId);
  });
});
