import { type Config, type ConfigDefinition, type MemberDefinitions } from './config/define-config';
import { ConfigError } from './config/config-error';
import { loadConfig } from './config/load-config';
import { createLogger, type Logger, type LogLevel, withoutCredentials } from './logs/logger';
import { secretFilesOf, watchSecrets } from './secrets/watch-secrets';
import { traceProcess } from './tracing/trace-process';

/** Hooks of the process that an app uses. */
export interface AppLife {
  readonly logger: Logger;
  /** Aborted when the process is told to stop, even while it still starts. */
  readonly stopping: AbortSignal;
  /** Registers something to close at the end. The last opened is closed first, one after the other. */
  readonly onStop: (close: () => Promise<unknown>) => void;
  /** Ends the process with one sentence: it cannot continue. */
  readonly fail: (error: unknown) => void;
}

export interface AppDefinition<M extends MemberDefinitions> {
  /** Name in the log and in the sentence about a failed start. */
  readonly name: string;
  readonly config: ConfigDefinition<M>;
  /** Errors whose message is a sentence for the operator. Any other is our fault and shows where it came from. */
  readonly explained: readonly (abstract new (...args: never[]) => Error)[];
  /**
   * Exit code when it cannot start or continue, and for a job also when it is told to stop before it is done. Default
   * 1.
   */
  readonly failureCode?: number;
  /** Setting with which it finds PostgreSQL; default `DATABASE_URL`. */
  readonly databaseSetting?: string;
  /** Instead of KERNEL_LOG_LEVEL. */
  readonly logLevel?: LogLevel;
  /** Resolves when the app is up. An app that does not stay up returns its exit code. */
  start(config: Config<M>, life: AppLife): Promise<number | void>;
}

/** The part of a process that is the same for all apps: configuration, log, signals, end, exit code. */
export interface AppProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  on(signal: 'SIGTERM' | 'SIGINT', told: (signal: NodeJS.Signals) => void): unknown;
  readonly stderr: { write(text: string): unknown };
  exit(code: number): void;
}

/**
 * Runs an app until SIGTERM or SIGINT: exit code 0 when it stopped in order, 1 when it could not.
 * A start that fails ends with one line on standard error, `<name>: <what is wrong>`.
 */
export function runApp<M extends MemberDefinitions>(app: AppDefinition<M>, host: AppProcess = process): void {
  const fail = (error: unknown): void => {
    host.stderr.write(`${app.name}: ${explain(error, app)}\n`);
    host.exit(app.failureCode ?? 1);
  };
  let config: Config<M>;
  try {
    config = loadConfig(app.config, host.env);
  } catch (error) {
    fail(error);
    return;
  }
  const { logLevel = 'info' } = config as { logLevel?: LogLevel };
  const logger = createLogger({ app: app.name, level: app.logLevel ?? logLevel });
  const stopping = new AbortController();
  const unwatch = watchSecrets(secretFilesOf(config), { logger });
  // Closed last: what ends may still be worth a span.
  const closers: (() => Promise<unknown>)[] = [traceProcess(app.name, config, logger), async () => unwatch()];
  let ending = false;
  let isUp = false;
  const end = async (code: number): Promise<void> => {
    ending = true;
    try {
      for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
      host.exit(code);
    } catch (error) {
      logger.fatal({ err: error }, `the ${app.name} could not stop in order`);
      host.exit(1);
    }
  };
  const told = (signal: NodeJS.Signals): void => {
    if (ending) return;
    logger.info({ signal }, `${app.name} stops`);
    stopping.abort();
    void end(isUp ? 0 : (app.failureCode ?? 0));
  };
  host.on('SIGTERM', told);
  host.on('SIGINT', told);
  app
    .start(config, {
      logger,
      stopping: stopping.signal,
      onStop: (close) => {
        closers.push(close);
      },
      fail: (error) => {
        if (ending) return;
        logger.fatal({ err: error }, `the ${app.name} cannot go on`);
        fail(error);
      },
    })
    .then(
      (code) => {
        isUp = true;
        return code === undefined || ending ? undefined : end(code);
      },
      // An app that was told to stop may say that it could not start.
      (error: unknown) => (ending ? undefined : fail(error)),
    );
}

/** Faults of the deployment get one sentence. */
function explain(
  error: unknown,
  { explained, databaseSetting }: Pick<AppDefinition<MemberDefinitions>, 'explained' | 'databaseSetting'>,
): string {
  if (error instanceof ConfigError || explained.some((known) => error instanceof known)) {
    return (error as Error).message;
  }
  // Errors of node:net and of PostgreSQL itself: an app connects to nothing else before it is up.
  const { syscall, severity, code, message, address, port } = error as NodeJS.ErrnoException & {
    severity?: string;
    address?: string;
    port?: number;
  };
  if (syscall === 'listen') {
    return `it cannot listen on ${address}, port ${port} (${code}); stop what listens there or choose another port.`;
  }
  if (syscall === 'connect' || severity !== undefined || error instanceof AggregateError) {
    return `PostgreSQL (${databaseSetting ?? 'DATABASE_URL'}) cannot be used: ${message || code}.`;
  }
  return withoutCredentials(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
