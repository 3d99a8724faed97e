export { logContext, runInLogContext, type LogContext } from './log-context';
export { createLogger, withoutCredentials, type Logger, type LoggerOptions, type LogLevel } from './logger';
export {
  startManagementServer,
  type ManagementOptions,
  type ManagementServer,
  type ReadinessCheck,
} from './management-server';
export { NestLogger } from './nest-logger';
export { RequestObserver, type RequestRecord } from './request-observer';
export {
  InjectMetric,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
} from '@willsoto/nestjs-prometheus';
export { Counter, Gauge, Histogram, register as processRegistry, Registry } from 'prom-client';
