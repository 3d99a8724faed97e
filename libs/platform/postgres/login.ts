import { setTimeout as delay } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import { type Secret, SecretFile, secretText } from '#platform/process';

/** invalid_password and invalid_authorization_specification (SQLSTATE, PostgreSQL's appendix A). */
const REFUSED = new Set(['28P01', '28000']);
/** Interval at which a changed URL is tried that the server does not accept yet. */
const PROBE_MS = 1_000;
const PROBE_TIMEOUT_MS = 5_000;

/**
 * A database URL in a file that is replaced while connections are made with it. File and server change one after the
 * other, in either order: as long as the server refuses the URL of the file, the one that it last accepted is tried in
 * turn. A changed URL replaces open connections only once the server has accepted it.
 */
export class DatabaseLogin {
  private readonly listeners = new Set<() => void>();
  private accepted: string | undefined;
  private refused: string | undefined;
  private unwatch: (() => void) | undefined;
  private proving = false;
  private readonly urls = new WeakMap<Client, string>();

  /** Class of connections that log in with the URL of the moment, whatever URL they are given. */
  readonly Client: typeof Client;

  private constructor(private readonly file: SecretFile) {
    this.Client = clientOf(this);
  }

  private static readonly known = new WeakMap<SecretFile, DatabaseLogin>();

  /** All connections with one URL share what is known of it. @returns undefined for a URL that does not change */
  static of(url: Secret): DatabaseLogin | undefined {
    if (!(url instanceof SecretFile)) return undefined;
    const known = this.known.get(url) ?? new DatabaseLogin(url);
    this.known.set(url, known);
    return known;
  }

  /** Whether a connection was opened with another URL than the one that the server last accepted. */
  isFormer(client: unknown): boolean {
    const url = this.urls.get(client as Client);
    return url !== undefined && this.accepted !== undefined && url !== this.accepted;
  }

  /** Calls `listener` whenever the server has accepted a changed URL. @returns what ends that */
  onRenewal(listener: () => void): () => void {
    this.listeners.add(listener);
    this.unwatch ??= this.file.onChange(() => void this.prove());
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      this.unwatch?.();
      this.unwatch = undefined;
    };
  }

  /** The URL for a new connection. */
  next(): string {
    const found = this.file.look();
    if (found !== this.refused || this.accepted === undefined) return found;
    this.refused = undefined;
    return this.accepted;
  }

  /** Notes what a connection was opened with, and how that ended. */
  ended(client: Client, url: string, error: unknown): void {
    this.urls.set(client, url);
    if (isRefusedLogin(error)) this.refused = url;
    else if (error === undefined || error === null) this.accept(url);
  }

  private accept(url: string): void {
    if (url === this.accepted || (this.accepted !== undefined && url !== this.file.current)) return;
    const isFirst = this.accepted === undefined;
    this.accepted = url;
    if (!isFirst) for (const listener of [...this.listeners]) listener();
  }

  /** Tries a changed URL until the server accepts it: while all connections stay open, nobody else would. */
  private async prove(): Promise<void> {
    if (this.proving) return;
    this.proving = true;
    while (this.accepted !== this.file.current && this.listeners.size > 0) {
      const url = this.file.current;
      const probe = new Client({
        connectionString: url,
        application_name: 'kernel-login',
        connectionTimeoutMillis: PROBE_TIMEOUT_MS,
      });
      probe.on('error', () => undefined);
      try {
        await probe.connect();
        this.accept(url);
      } catch {
        await delay(PROBE_MS, undefined, { ref: false });
      }
      await probe.end().catch(() => undefined);
    }
    this.proving = false;
  }
}

/** Whether the server did not accept user or password. */
export function isRefusedLogin(error: unknown): boolean {
  return REFUSED.has((error as { code?: string } | undefined)?.code ?? '');
}

/** A connection outside the pools. */
export function clientFor(url: Secret, config: ClientConfig): Client {
  const login = DatabaseLogin.of(url);
  return login === undefined
    ? new Client({ ...config, connectionString: secretText(url) })
    : new login.Client(config);
}

type Connected = (error: Error | null, client?: Client) => void;

function clientOf(login: DatabaseLogin): typeof Client {
  class LoginClient extends Client {
    readonly #url: string;

    constructor(config?: string | ClientConfig) {
      const url = login.next();
      super({ ...(config as ClientConfig), connectionString: url });
      this.#url = url;
    }

    override connect(): Promise<Client>;
    override connect(connected: Connected): void;
    override connect(connected?: Connected): Promise<Client> | void {
      if (connected === undefined) {
        return new Promise((resolve, reject) => {
          this.connect((error) => (error === null ? resolve(this) : reject(error)));
        });
      }
      super.connect(((error: Error | null | undefined) => {
        login.ended(this, this.#url, error);
        connected(error ?? null, this);
      }) as (error: Error) => void);
    }
  }
  return LoginClient;
}
