import { pino, stdSerializers, type DestinationStream, type Level, type Logger as PinoLogger } from 'pino';
import { currentTraceId } from '#platform/tracing';
import { logContext } from './log-context';
import { LogOutput } from './log-output';

export type Logger = PinoLogger;
export type LogLevel = Level | 'silent';

export interface LoggerOptions {
  /** Name of the process, e.g. `kernel` or `signing-proxy`. */
  readonly app: string;
  readonly level: LogLevel;
  /** Default: standard output, buffered. Tests pass their own. */
  readonly destination?: DestinationStream;
}

const STANDARD_OUTPUT = 1;
let standardOutput: LogOutput | undefined;

/** Members that contain secrets or callers' content by their very name; the program logs none of them on purpose. */
const REDACTED = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'privateKey',
  'payload',
  'body',
  'manifest',
  'headers.authorization',
  'headers.cookie',
];

/**
 * One JSON object per line. Lines are written asynchronously, and flushed when the process ends in any way but SIGKILL.
 * Payloads of requests and events are never logged: ids are enough to find them.
 */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? (standardOutput ??= new LogOutput(STANDARD_OUTPUT));
  return pino(
    {
      level: options.level,
      base: { app: options.app, pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '[redacted]' },
      serializers: { err: errorForLog, cause: errorForLog },
      mixin: () => {
        const context = logContext();
        const traceId = context === undefined ? currentTraceId() : context.traceId;
        return {
          ...(context !== undefined && { request_id: context.requestId }),
          ...(context?.principalId !== undefined && { principal_id: context.principalId }),
          ...(traceId !== undefined && { trace_id: traceId }),
        };
      },
    },
    destination,
  );
}

/** Credentials in a URL, such as a database's. */
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi;

export function withoutCredentials(text: string): string {
  return text.replace(URL_CREDENTIALS, '$1[redacted]@');
}

/**
 * Type, code, message, stack and chain of causes of an error, and nothing else attached to it:
 * drivers attach queries and parameters to their errors.
 */
function errorForLog(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = stdSerializers.err(error);
  const { code } = error as { code?: unknown };
  return {
    type,
    ...(typeof code === 'string' && { code }),
    message: withoutCredentials(message),
    stack: withoutCredentials(stack),
  };
}
