import { type DataSource } from 'typeorm';
import { Gauge, type Logger, type Registry } from '#platform/process';
import { Database } from './database';

export interface ServerWatchOptions {
  readonly dataSource: DataSource;
  readonly registry: Registry;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** Default 15 s. */
  readonly everyMs?: number;
  /** Longest wait for the server. Default 2 s. */
  readonly timeoutMs?: number;
}

const EVERY_MS = 15_000;
const TIMEOUT_MS = 2_000;
/** Names of replicas are their own: more than these share no memory here. */
const MAX_REPLICAS = 20;
const MAX_NAME = 63;

const AGE = `SELECT age(datfrozenxid)::float8 AS age, current_setting('autovacuum_freeze_max_age')::float8 AS max,
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS allowed
  FROM pg_database WHERE datname = current_database()`;

/**
 * What a replica has not replayed yet, as seconds since it was written. A replica that has all of it reports no time after a
 * while. Two of one name are as late as the later one.
 */
const REPLICAS = `SELECT left(application_name, ${MAX_NAME}) AS name,
    max(CASE WHEN replay_lsn >= pg_current_wal_lsn() THEN 0
             ELSE coalesce(greatest(extract(epoch FROM replay_lag), 0), 0) END)::float8 AS seconds
  FROM pg_stat_replication WHERE state = 'streaming' OR state = 'catchup'
  GROUP BY 1 ORDER BY 2 DESC LIMIT ${MAX_REPLICAS}`;

/**
 * Looks at the PostgreSQL server every few seconds, from one kind of process: how old its oldest transaction id is, and how late its
 * replicas are. A scrape shows what the last look found, and never asks the server. What a look cannot find has no value until
 * the next one does.
 * @returns ends it
 */
export function watchServer(options: ServerWatchOptions): () => Promise<void> {
  const { registry, logger, everyMs = EVERY_MS, timeoutMs = TIMEOUT_MS } = options;
  const database = new Database(options.dataSource, timeoutMs);
  const registers = [registry];
  const age = new Gauge({
    name: 'kernel_postgres_transaction_id_age',
    help: 'Transactions since the oldest row of this database that is not frozen; PostgreSQL stops writing at about 2.1 billion.',
    registers,
  });
  const freeze = new Gauge({
    name: 'kernel_postgres_transaction_id_freeze_age',
    help: 'autovacuum_freeze_max_age of the server: from this age on it freezes by itself, so that the age stays near it.',
    registers,
  });
  const visible = new Gauge({
    name: 'kernel_postgres_replication_visible',
    help: 'Whether this role may see the replicas (1): it is a member of pg_read_all_stats. Otherwise (0) there is no lag to read.',
    registers,
  });
  const replicas = new Gauge({
    name: 'kernel_postgres_replicas',
    help: 'Replicas that are connected to the server.',
    registers,
  });
  const lag = new Gauge({
    name: 'kernel_postgres_replication_lag_seconds',
    help: 'How late a connected replica is in replaying what was written; 0 when it has everything.',
    labelNames: ['replica'],
    registers,
  });
  let said: boolean | undefined;

  const forget = (): void => {
    for (const gauge of [age, freeze, visible, replicas]) gauge.remove();
    lag.reset();
  };

  const look = async (): Promise<void> => {
    const [server] = await database.query<{ age: number; max: number; allowed: boolean }>(AGE, []);
    if (server === undefined) return forget();
    age.set(server.age);
    freeze.set(server.max);
    visible.set(server.allowed ? 1 : 0);
    if (said !== server.allowed) {
      said = server.allowed;
      if (!said) {
        logger.warn(
          'the role of this process may not see replicas of PostgreSQL, so that no metric says how late they are; grant it pg_read_all_stats',
        );
      }
    }
    if (!server.allowed) {
      replicas.remove();
      lag.reset();
      return;
    }
    const rows = await database.query<{ name: string; seconds: number }>(REPLICAS, []);
    replicas.set(rows.length);
    lag.reset();
    for (const { name, seconds } of rows) lag.set({ replica: name }, seconds);
  };

  let looking: Promise<void> | undefined;
  const begin = (): void => {
    looking ??= look()
      .catch(forget)
      .finally(() => (looking = undefined));
  };
  forget();
  begin();
  const timer = setInterval(begin, everyMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await looking;
  };
}
