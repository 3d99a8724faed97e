import { Client, type ClientBase, type Pool, type PoolClient, type QueryResultRow } from 'pg';
import { type DataSource } from 'typeorm';
import { answerWithin, Limiter, type Patience } from '#platform/resilience';
import { type DatabaseLogin } from './login';
import { LoginPool } from './login-pool';
import { connectionLost, postgresError } from './postgres-error';

/** A statement that the server prepares once per connection. */
export interface Statement {
  /** Unique for the text. */
  readonly name: string;
  readonly text: string;
}

/** One connection, for as long as the work given to `Database.session` lasts. */
export class Session {
  broken: Error | undefined;

  constructor(
    private readonly client: PoolClient,
    private readonly timeoutMs: number,
    private readonly liveness: Liveness,
  ) {}

  /**
   * Runs a statement that is prepared once per connection, or, given as text, planned each time for the current tables:
   * a plan prepared while a table was small may stay a sequential scan until the next ANALYZE. @throws PostgresError
   */
  async query<R extends QueryResultRow>(statement: Statement | string, values: unknown[]): Promise<R[]> {
    const query = typeof statement === 'string' ? { text: statement } : { ...statement };
    return (await this.bounded(this.client.query<R>({ ...query, values }))).rows;
  }

  /**
   * Runs one or more statements without parameters, in one round trip; returns the rows of the last one.
   * @throws PostgresError
   */
  async script<R extends QueryResultRow>(text: string): Promise<R[]> {
    const result = (await this.bounded(this.client.query(text))) as unknown;
    const last = (Array.isArray(result) ? result.at(-1) : result) as { rows: R[] };
    return last.rows;
  }

  /**
   * Limits the wait for a silent server (paused, or behind a cut cable): the connection is then closed, and the effect
   * of the statement is unknown.
   */
  private async bounded<T>(query: Promise<T>): Promise<T> {
    try {
      const result = await answerWithin(this.timeoutMs, noAnswer, query);
      this.liveness.answered(this.client);
      return result;
    } catch (cause) {
      const error = postgresError(cause);
      if (error.code === 'lost') {
        this.broken = error;
        this.liveness.lost();
        cutConnection(this.client);
      } else {
        this.liveness.answered(this.client);
      }
      throw error;
    }
  }
}

/** Two groups, one reading and one committing, and a notification. */
const WRITER_CONNECTIONS = 3;

/**
 * The DataSource's own pool, used without TypeORM's query runner: the append path needs prepared statements and the
 * kind of a failure.
 */
export class Database {
  private readonly pool: Pool;
  private readonly readers: Limiter;
  private readonly patience: Patience;
  private readonly liveness: Liveness;

  constructor(
    dataSource: DataSource,
    private readonly timeoutMs: number,
  ) {
    this.pool = poolOf(dataSource);
    this.liveness = watchConnections(this.pool);
    // Reads never take the last connections: many of them must not make the writer queue at each step.
    this.readers = readersOf(this.pool);
    const late = (ms: number): Error =>
      new Error(`all ${this.readers.limit} connections for reading were busy for ${ms} ms`);
    this.patience = { atMost: { ms: timeoutMs, late } };
  }

  /** Runs a step of an append, on any connection. @throws PostgresError */
  step<R extends QueryResultRow>(statement: Statement, values: unknown[]): Promise<R[]> {
    return this.session((session) => session.query<R>(statement, values));
  }

  /** Runs anything but an append, within the readers' limit; see `Session.query`. @throws PostgresError */
  async query<R extends QueryResultRow>(statement: Statement | string, values: unknown[]): Promise<R[]> {
    try {
      return await this.readers.run(
        () => this.session((session) => session.query<R>(statement, values)),
        this.patience,
      );
    } catch (cause) {
      throw postgresError(cause, 'unreachable');
    }
  }

  /** Holds one connection while `work` runs; `work` must not wait for a second one. @throws PostgresError */
  async session<T>(work: (session: Session) => Promise<T>): Promise<T> {
    let client: PoolClient;
    try {
      client = await this.connect();
    } catch (cause) {
      throw postgresError(cause, 'unreachable');
    }
    // Without a listener, the loss of a connection between two statements would end the process.
    client.on('error', ignore);
    const session = new Session(client, this.timeoutMs, this.liveness);
    try {
      return await work(session);
    } finally {
      client.off('error', ignore);
      client.release(session.broken);
    }
  }

  /**
   * Returns a connection on which the server has answered since the last loss: each round of this closes an older one.
   */
  private async connect(): Promise<PoolClient> {
    for (;;) {
      const client = await this.pool.connect();
      if (!this.liveness.inDoubt(client)) return client;
      cutConnection(client);
      client.release(true);
    }
  }

  /** A separate connection (for LISTEN), not opened yet. */
  newClient(applicationName: string): Client {
    const { options } = this.pool;
    const config = {
      ...options,
      // The pool hides its password from enumeration.
      password: options.password,
      application_name: applicationName,
    };
    return this.login === undefined ? new Client(config) : new this.login.Client(config);
  }

  /** Calls `listener` when the server has accepted other credentials. @returns what ends that */
  onLoginRenewal(listener: () => void): () => void {
    return this.login?.onRenewal(listener) ?? ignore;
  }

  private get login(): DatabaseLogin | undefined {
    return this.pool instanceof LoginPool ? this.pool.login : undefined;
  }
}

/** The node-postgres pool behind an initialised DataSource. */
export function poolOf(dataSource: DataSource): Pool {
  const { master } = dataSource.driver as unknown as { master?: Pool };
  if (!dataSource.isInitialized || dataSource.options.type !== 'postgres' || master === undefined) {
    throw new TypeError('Database needs an initialised PostgreSQL DataSource.');
  }
  return master;
}

/**
 * Opens every connection that the pool may have: the first callers after a start all come at once, and each of their
 * TLS handshakes would delay one with PostgreSQL. A connection that cannot be opened now is opened when needed.
 */
export async function openConnections(dataSource: DataSource): Promise<void> {
  const pool = poolOf(dataSource);
  watchConnections(pool);
  const opened = await Promise.allSettled(Array.from({ length: pool.options.max }, () => pool.connect()));
  for (const result of opened) if (result.status === 'fulfilled') result.value.release();
}

/**
 * Whether PostgreSQL can store a text: it has no NUL, and no lone surrogate survives UTF-8, so no stored text equals
 * such.
 */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** A text as PostgreSQL can store it: the replacement character stands for what no text of it holds. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** Closes the socket without the goodbye that a silent server would never answer. */
export function cutConnection(client: ClientBase): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

const readers = new WeakMap<Pool, Limiter>();

/** Readers of a pool that wait for their turn. */
export function readersWaiting(pool: Pool): number {
  return readers.get(pool)?.waitingCount ?? 0;
}

/** Limiter for all readers of a pool: together they must leave connections to the writer. */
function readersOf(pool: Pool): Limiter {
  let limiter = readers.get(pool);
  if (limiter === undefined) {
    const { max } = pool.options;
    limiter = new Limiter(Math.max(1, max - Math.min(WRITER_CONNECTIONS, max >> 1)));
    readers.set(pool, limiter);
  }
  return limiter;
}

/**
 * State of a pool's connections. When one is lost, the idle ones probably are too (the server is another one at the
 * same address, a firewall forgot them), and each would cost a caller the whole wait for a silent server: they are
 * closed instead of being tried one after the other.
 */
class Liveness {
  private lostAt = Number.NEGATIVE_INFINITY;
  private readonly answeredAt = new WeakMap<ClientBase, number>();

  answered(client: ClientBase): void {
    this.answeredAt.set(client, performance.now());
  }

  lost(): void {
    this.lostAt = performance.now();
  }

  inDoubt(client: ClientBase): boolean {
    return (this.answeredAt.get(client) ?? Number.NEGATIVE_INFINITY) < this.lostAt;
  }
}

const watched = new WeakMap<Pool, Liveness>();

/**
 * Gives every connection a listener from its first moment: a server that ends a connection in the very packet that
 * completed it reports that between the pool's own listener and the user's, and without a listener the error would end
 * the process. Once per pool: several stores may share it.
 */
function watchConnections(pool: Pool): Liveness {
  const known = watched.get(pool);
  if (known === undefined) {
    const fresh = new Liveness();
    watched.set(pool, fresh);
    pool.on('connect', (client) => {
      client.on('error', ignore);
      fresh.answered(client);
    });
    return fresh;
  }
  return known;
}

function noAnswer(ms: number): Error {
  return connectionLost(`PostgreSQL did not answer within ${ms} ms`);
}

function ignore(): void {
  // The running query rejects with the same error, and so does the next one on this connection.
}
