import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BoundedLog, freePort, guardFolder, releaseFolder, startChild, userCache } from '#dev/devstack';
import { describeWith } from './describe-with';

const VERSION = '0.165.0';
const START_TIMEOUT_MS = 20_000;
const STOP_GRACE_MS = 5_000;

function collectorProgram(): string {
  return join(userCache(), `otel-collector-${VERSION}`, 'otelcol');
}

/** A suite that needs a real OpenTelemetry Collector (describeWith). */
export function describeWithCollector(name: string, suite: () => void): void {
  const missing = existsSync(collectorProgram())
    ? null
    : `the OpenTelemetry Collector ${VERSION} is not installed (scripts/install-otel-collector.sh builds it with go)`;
  describeWith({ missing }, name, suite);
}

/** A span as a collector hands it on (OTLP, JSON encoding). */
export interface CollectedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly ms: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string>>;
  /** Spans of other traces, or parts of this one, that it was done for too. */
  readonly links: readonly string[];
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}
interface ExportedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: Attribute[];
  status?: { code?: number };
  links?: { spanId: string }[];
}
interface Exported {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: ExportedSpan[] }[] }[];
}

const STATUS_ERROR = 2;

/** A real collector, which takes OTLP and hands on what it took. */
export class TestCollector {
  readonly spans: CollectedSpan[] = [];

  private constructor(
    /** As OTEL_EXPORTER_OTLP_ENDPOINT takes it. */
    readonly url: string,
    private readonly sink: Server,
    private readonly end: () => Promise<void>,
  ) {}

  /** @param keeps whether the spans are kept; a benchmark makes too many */
  static async start({ keeps = true } = {}): Promise<TestCollector> {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-test-collector-'));
    guardFolder(dir);
    const take: { spans?: (exported: Exported) => void } = {};
    const sink = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        if (keeps) take.spans?.(JSON.parse(Buffer.concat(parts).toString()) as Exported);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
    const port = await freePort();
    const config = join(dir, 'collector.yaml');
    await writeFile(config, configOf(port, (sink.address() as AddressInfo).port));
    const child = await startChild({
      command: collectorProgram(),
      args: ['--config', config],
      env: {},
      cwd: dir,
      log: new BoundedLog(join(dir, 'collector.log')),
    });
    const collector = new TestCollector(`http://127.0.0.1:${port}`, sink, async () => {
      await child.stop(STOP_GRACE_MS);
      await rm(dir, { recursive: true, force: true });
      releaseFolder(dir);
    });
    take.spans = (exported) => collector.spans.push(...spansIn(exported));
    const deadline = performance.now() + START_TIMEOUT_MS;
    // It refuses this as no spans, and so it listens.
    while (!(await fetch(`${collector.url}/v1/traces`, { method: 'POST' }).then(Boolean, () => false))) {
      if (child.exit !== undefined || performance.now() > deadline) {
        await collector.stop();
        throw new Error(`the collector does not listen (${child.exit?.code ?? 'still starting'})`);
      }
      await delay(50);
    }
    return collector;
  }

  of(traceId: string): CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  /** The spans of a trace, each under its parent, with the milliseconds from the first. */
  tree(traceId: string): string {
    const spans = this.of(traceId).sort((a, b) => a.from - b.from);
    const begin = spans[0]?.from ?? 0;
    const known = new Set(spans.map(({ spanId }) => spanId));
    const lines: string[] = [];
    const add = (parent: string | null, depth: number): void => {
      for (const span of spans) {
        if (parent === null ? known.has(span.parentSpanId) : span.parentSpanId !== parent) continue;
        const at = `+${(span.from - begin).toFixed(1)}`.padStart(9);
        lines.push(
          `${at} ${`${span.ms.toFixed(1)} ms`.padStart(10)}  ${'  '.repeat(depth)}${span.service}: ${span.name}`,
        );
        add(span.spanId, depth + 1);
      }
    };
    add(null, 0);
    return lines.join('\n');
  }

  async stop(): Promise<void> {
    await this.end();
    this.sink.closeAllConnections();
    await new Promise<void>((resolve) => this.sink.close(() => resolve()));
  }
}

function configOf(port: number, sink: number): string {
  return JSON.stringify({
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: {
      otlp_http: {
        endpoint: `http://127.0.0.1:${sink}`,
        encoding: 'json',
        compression: 'none',
        sending_queue: { enabled: false },
      },
    },
    service: {
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_http'] } },
      telemetry: { metrics: { level: 'none' } },
    },
  });
}

function spansIn({ resourceSpans }: Exported): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = textsOf(resource.attributes)['service.name'] ?? '';
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => collected(service, span)));
  });
}

function collected(service: string, span: ExportedSpan): CollectedSpan {
  const from = Number(BigInt(span.startTimeUnixNano) / 1_000n) / 1_000;
  const to = Number(BigInt(span.endTimeUnixNano) / 1_000n) / 1_000;
  return {
    service,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? '',
    name: span.name,
    from,
    ms: to - from,
    failed: span.status?.code === STATUS_ERROR,
    attributes: textsOf(span.attributes ?? []),
    links: (span.links ?? []).map(({ spanId }) => spanId),
  };
}

function textsOf(attributes: readonly Attribute[]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]));
}
