export { logContext, runInLogContext, type LogContext } from './log-context';
export { createLogger, withoutCredentials, type Logger, type LoggerOptions, type LogLevel } from './logger';
export {
  startManagementServer,
  type ManagementOptions,
  type ManagementServer,
  type ReadinessCheck,
} from './management-server';
export { NestLogger } from './nest-logger';
export { processSettings } from './process-settings';
export { type AppDefinition, type AppLife, type AppProcess, runApp } from './run-app';
export { growHeapFreely, sizeThreadPool } from './runtime-settings';
export { RequestObserver, type RequestRecord } from './request-observer';
export {
  InjectMetric,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
} from '@willsoto/nestjs-prometheus';
export { Counter, Gauge, Histogram, register as processRegistry, Registry } from 'prom-client';
