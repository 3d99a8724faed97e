/** Basics of every process: validated configuration, logs, metrics, health, start and shutdown. */
export { runInLogContext, type LogContext } from './logs/log-context';
export { createLogger, type Logger } from './logs/logger';
export { startManagementServer, type ReadinessCheck } from './management/management-server';
export { NestLogger } from './logs/nest-logger';
export { type ManagementPlace, managementOf, processSettings } from './process-settings';
export { type AppDefinition, type AppLife, runApp } from './run-app';
export { sizeThreadPool } from './runtime-settings';
export { makeTracedHistogramProvider, observeTraced, tracedHistogram } from './metrics/traced-histogram';
export { RequestObserver, type RequestRecord } from './metrics/request-observer';
export {
  InjectMetric,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
} from '@willsoto/nestjs-prometheus';
export { Counter, Gauge, Histogram, register as processRegistry, Registry } from 'prom-client';
export { ConfigError, type ConfigProblem } from './config/config-error';
export {
  defineConfig,
  type Config,
  type ConfigOf,
  type MemberDefinition,
  type MemberDefinitions,
} from './config/define-config';
export { loadConfig, loadPart, type Environment } from './config/load-config';
export {
  certificateFile,
  flag,
  json,
  list,
  matching,
  oneOf,
  path,
  pattern,
  port,
  readableFile,
  settingType,
  text,
  url,
  decimal,
  wholeNumber,
  type SettingType,
} from './config/setting-types';
export { certificatesIn, revocationListsIn, type Validity, whyNotInForce } from './tls/certificates';
export { TlsFiles, type TlsMaterial, type TlsRenewals } from './tls/tls-files';
export { type Secret, SecretFile, secretText } from './secrets/secret-file';
export { watchSecrets } from './secrets/watch-secrets';
export { replaceFile, syncFolder } from './files/durable-file';
export { watchDisk } from './files/disk-metric';
export { diskProblem } from './files/disk-room';
