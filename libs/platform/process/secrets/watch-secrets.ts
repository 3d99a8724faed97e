import { Counter, Gauge, register, type Registry } from 'prom-client';
import { FileWatch } from '../files/file-watch';
import { type Logger } from '../logs/logger';
import { SecretFile } from './secret-file';

export interface SecretWatchOptions {
  readonly logger: Logger;
  /** Default: the process-wide one. */
  readonly registry?: Registry;
  /** Default: ten seconds. */
  readonly everyMs?: number;
}

/** A file that cannot be used for so long is no longer being written. */
const RETRY_MS = 1_000;

/** The secrets of a configuration that are in files, enumerable or not. */
export function secretFilesOf(config: object): SecretFile[] {
  return Object.getOwnPropertyNames(config)
    .map((name) => (config as Record<string, unknown>)[name])
    .filter((value) => value instanceof SecretFile);
}

/**
 * Reads secrets again when their files change, and says so in the log and in metrics: by their settings, never by their
 * values. @returns what ends it
 */
export function watchSecrets(
  secrets: readonly SecretFile[],
  { logger, registry = register, everyMs }: SecretWatchOptions,
): () => void {
  const refused = refusedOf(registry);
  const changes = changesOf(registry);
  if (secrets.length === 0) return () => undefined;
  const troubles = new Map<SecretFile, { since: number; said: boolean }>();
  const ends = secrets.map((secret) => {
    const { setting } = secret;
    refused.set({ setting }, 0);
    changes.inc({ setting }, 0);
    return secret.onChange(() => {
      changes.inc({ setting });
      logger.info({ setting }, 'a secret has changed and is in force');
    });
  });
  const judge = (secret: SecretFile): void => {
    const { setting, path, problem } = secret;
    const trouble = troubles.get(secret) ?? { since: performance.now(), said: false };
    if (problem === undefined) troubles.delete(secret);
    else troubles.set(secret, trouble);
    const left = trouble.since + RETRY_MS - performance.now();
    if (problem !== undefined && !trouble.said && left <= 0) {
      trouble.said = true;
      logger.error(
        { setting, path, reason: problem },
        'the file of a secret has changed and cannot be used; the value before stays in force',
      );
    } else if (problem !== undefined && !trouble.said) watch.lookSoon(left);
    refused.set({ setting }, problem !== undefined && trouble.said ? 1 : 0);
  };
  const watch = new FileWatch({
    files: secrets.map(({ path }) => path),
    look: () => {
      for (const secret of secrets) {
        secret.look();
        judge(secret);
      }
    },
    logger,
    everyMs,
  });
  return () => {
    watch.close();
    for (const end of ends) end();
  };
}

function refusedOf(registry: Registry): Gauge {
  const existing = registry.getSingleMetric('secret_file_refused');
  if (existing instanceof Gauge) return existing;
  return new Gauge({
    name: 'secret_file_refused',
    help: 'Whether the file of a secret cannot be used (1), so that the value before stays in force.',
    labelNames: ['setting'],
    registers: [registry],
  });
}

function changesOf(registry: Registry): Counter {
  const existing = registry.getSingleMetric('secret_file_changes_total');
  if (existing instanceof Counter) return existing;
  return new Counter({
    name: 'secret_file_changes_total',
    help: 'How often a secret was read from its file with another value than before.',
    labelNames: ['setting'],
    registers: [registry],
  });
}
