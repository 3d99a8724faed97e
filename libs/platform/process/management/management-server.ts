import { type AddressInfo } from 'node:net';
import { type Server, type ServerResponse } from 'node:http';
import {
  Controller,
  Get,
  Header,
  Headers,
  HttpException,
  Inject,
  Module,
  Res,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import {
  HealthCheckService,
  HealthIndicatorService,
  TerminusModule,
  type HealthCheckResult,
} from '@nestjs/terminus';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { collectDefaultMetrics, register, type Registry } from 'prom-client';
import { watchDisk } from '../files/disk-metric';
import { diskProblem } from '../files/disk-room';
import { withoutCredentials, type Logger } from '../logs/logger';
import { NestLogger } from '../logs/nest-logger';
import { OPEN_METRICS, openMetricsOf, wantsOpenMetrics } from '../metrics/open-metrics';
import { type ManagementPlace } from '../process-settings';

/** Resolves when all is well, to a value that is shown. Rejects, with one clear sentence, when not. */
export type ReadinessCheck = (signal: AbortSignal) => Promise<Record<string, unknown> | void>;

export interface ManagementOptions extends ManagementPlace {
  /** Everything without which the process cannot do its work, by name. */
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
  readonly logger: Logger;
  /** Default: the process-wide registry, to which the providers of `@willsoto/nestjs-prometheus` write. */
  readonly registry?: Registry;
  /** A check that takes longer has failed. Default 1,000 ms. */
  readonly checkTimeoutMs?: number;
}

export interface ManagementServer {
  readonly port: number;
  /** Turns /ready red, so that no new work is sent here; /health stays green. */
  drain(): void;
  close(): Promise<void>;
}

const CHECK_TIMEOUT_MS = 1_000;
/** Many concurrent probes cost one run of the checks. */
const CHECK_CACHE_MS = 200;
/** Limit for small requests from near by; a slower one comes from an unknown client. */
const REQUEST_TIMEOUT_MS = 5_000;

const STATE = Symbol('management state');
interface ManagementState {
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
  readonly checkTimeoutMs: number;
  readonly logger: Logger;
  draining: boolean;
  lastStatus: string;
}

/** /health says that the process is alive, /ready that it can work. A failing dependency must not cause a restart. */
@Controller()
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    @Inject(STATE) private readonly state: ManagementState,
  ) {}

  @Get('health')
  @Header('Cache-Control', 'no-store')
  alive(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  @Get('ready')
  @Header('Cache-Control', 'no-store')
  async ready(): Promise<HealthCheckResult> {
    const checks = Object.entries(this.state.checks).map(
      ([name, check]) =>
        () =>
          this.indicators
            .check(name)
            .attempt(({ signal }) => safely(check, signal))
            .withTimeout(this.state.checkTimeoutMs)
            .cacheFor(CHECK_CACHE_MS),
    );
    const lifecycle = () => {
      const indicator = this.indicators.check('lifecycle');
      return this.state.draining ? indicator.down('The process is shutting down.') : indicator.up();
    };
    try {
      const result = await this.health.check([lifecycle, ...checks]);
      this.noteStatus('ready');
      return result;
    } catch (error) {
      this.noteStatus('not ready', error);
      throw error;
    }
  }

  /** Logs one line when the status changes, not one per probe. */
  private noteStatus(status: string, error?: unknown): void {
    if (status === this.state.lastStatus) return;
    this.state.lastStatus = status;
    if (error === undefined) this.state.logger.info('ready');
    else this.state.logger.warn({ failing: failing(error) }, 'not ready');
  }
}

/** Terminus writes these itself, and fails when a check does too. */
const TERMINUS_MEMBERS = ['status', 'responseTime', 'cachedResponse'];

/** Runs a check; its message is sent over HTTP and logged, so it must not carry credentials. */
async function safely(check: ReadinessCheck, signal: AbortSignal): Promise<Record<string, unknown>> {
  try {
    const facts = Object.entries((await check(signal)) ?? {});
    return Object.fromEntries(facts.filter(([name]) => !TERMINUS_MEMBERS.includes(name)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(withoutCredentials(message).slice(0, 500), { cause: error });
  }
}

/** First of all checks: what else fails on a full disk fails because of it. */
function diskCheck(folder: string | undefined): Readonly<Record<string, ReadinessCheck>> {
  if (folder === undefined) return {};
  const disk: ReadinessCheck = async () => {
    const problem = await diskProblem(folder);
    if (problem !== null) throw new Error(problem);
  };
  return { disk };
}

function failing(error: unknown): unknown {
  if (!(error instanceof HttpException)) return undefined;
  return (error.getResponse() as { error?: unknown }).error;
}

function metricsController(registry: Registry): Type {
  @Controller()
  class MetricsController {
    @Get()
    @Header('Cache-Control', 'no-store')
    async metrics(
      @Headers('accept') accept: string | undefined,
      @Res({ passthrough: true }) response: ServerResponse,
    ): Promise<string> {
      const open = wantsOpenMetrics(accept);
      response.setHeader('Vary', 'Accept');
      response.setHeader('Content-Type', open ? OPEN_METRICS : registry.contentType);
      return await (open ? openMetricsOf(registry) : registry.metrics());
    }
  }
  return MetricsController;
}

/** Serves /health, /ready and /metrics over plain HTTP on a port of their own, separate from the callers'. */
export async function startManagementServer(options: ManagementOptions): Promise<ManagementServer> {
  const registry = options.registry ?? register;
  if (registry.getSingleMetric('process_cpu_user_seconds_total') === undefined) {
    collectDefaultMetrics({ register: registry });
  }
  if (options.diskFolder !== undefined) watchDisk('state', options.diskFolder, registry);
  const state: ManagementState = {
    checks: { ...diskCheck(options.diskFolder), ...options.checks },
    checkTimeoutMs: options.checkTimeoutMs ?? CHECK_TIMEOUT_MS,
    logger: options.logger,
    draining: false,
    lastStatus: '',
  };

  @Module({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      PrometheusModule.register({
        controller: metricsController(registry),
        path: '/metrics',
        defaultMetrics: { enabled: false },
      }),
    ],
    controllers: [HealthController],
    providers: [{ provide: STATE, useValue: state }],
  })
  class ManagementModule {}

  const adapter = new ExpressAdapter();
  adapter.disable('x-powered-by');
  const app = await NestFactory.create(ManagementModule, adapter, {
    logger: new NestLogger(options.logger),
    abortOnError: false,
    bodyParser: false,
    forceCloseConnections: true,
  });
  const server: Server = app.getHttpServer() as Server;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  await app.listen(options.port, options.host);
  return {
    port: (server.address() as AddressInfo).port,
    drain: () => {
      state.draining = true;
    },
    close: () => app.close(),
  };
}
