import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { SignerError, reasonOf } from '../signer.error';
import { type VaultClient, VaultFailure } from './vault-client';

/** Authentication of the process at Vault. */
export type VaultAuth =
  /** A file that another program keeps fresh (Vault Agent, a CSI driver): read again for each token. */
  | { method: 'token-file'; file: string }
  /** The service account of the pod. */
  | { method: 'kubernetes'; role: string; jwtFile?: string | undefined; mount?: string | undefined }
  /** The client certificate of the connection. */
  | { method: 'cert'; role?: string | undefined; mount?: string | undefined };

/** Where Kubernetes puts the token of a pod's service account. */
export const DEFAULT_JWT_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';
/** Part of a token's lifetime before it is renewed: the rest is for failed attempts. */
const RENEW_AFTER = 2 / 3;
const RENEW_RETRY_MS = 2_000;
/** A token that was refused this soon after it was issued will be refused again. */
const FRESH_LOGIN_MS = 1_000;
const MAX_TOKEN_BYTES = 64 * 1024;
/** Maximum of setTimeout. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const TRIES_AT_CLOSE_MS = 500;

const LoginAnswer = z.object({
  auth: z.object({
    client_token: z.string().min(1),
    lease_duration: z.number().nonnegative(),
    renewable: z.boolean(),
  }),
});
const LookupAnswer = z.object({
  data: z.object({ ttl: z.number().nonnegative(), renewable: z.boolean().optional() }),
});
const RenewAnswer = z.object({
  auth: z.object({ lease_duration: z.number().nonnegative(), renewable: z.boolean() }),
});

interface Login {
  token: string;
  /** Seconds; 0 for a token that does not expire. */
  ttl: number;
  renewable: boolean;
  at: number;
}

/** Keeps a valid token: logs in, renews in time, and logs in again when a token expires or is revoked. */
export class VaultSession {
  private current: Login | null = null;
  private logging: Promise<Login> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private readonly closing = new AbortController();

  constructor(
    private readonly client: VaultClient,
    private readonly auth: VaultAuth,
    /** Called with one sentence about a failure; never with a token in it. */
    private readonly onTrouble: (sentence: string) => void = () => undefined,
    /** Called when the end of the token in use changes (milliseconds since 1970); null: none is in use, or it does not end. */
    private readonly onTokenEnd: (at: number | null) => void = () => undefined,
  ) {}

  /** @throws VaultFailure, SignerError `misconfigured` */
  async token(): Promise<string> {
    if (this.current) return this.current.token;
    // Many batches may need one at the same time: they share a login.
    this.logging ??= this.login().finally(() => (this.logging = null));
    return (await this.logging).token;
  }

  /** Notes that Vault did not accept this token. @returns whether another attempt, with another token, is worthwhile */
  refused(token: string): boolean {
    if (this.current?.token !== token) return true;
    if (performance.now() - this.current.at < FRESH_LOGIN_MS) return false;
    this.forget();
    return true;
  }

  /** Revokes its own token, if Vault answers in time. */
  async close(): Promise<void> {
    const own = this.auth.method === 'token-file' ? null : this.current;
    this.closing.abort();
    this.forget();
    if (!own) return;
    const signal = AbortSignal.timeout(TRIES_AT_CLOSE_MS);
    await this.client
      .ask('POST', 'auth/token/revoke-self', { token: own.token, signal })
      .catch(() => undefined);
  }

  private forget(): void {
    this.current = null;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.onTokenEnd(null);
  }

  private async login(): Promise<Login> {
    const login = await this.authenticate();
    if (this.closing.signal.aborted) throw new SignerError('closed', 'The vault-transit signer is closed');
    this.current = login;
    this.tellEnd(login.ttl);
    this.schedule(login, login.ttl * RENEW_AFTER * 1_000);
    return login;
  }

  private async authenticate(): Promise<Login> {
    const { auth } = this;
    switch (auth.method) {
      case 'token-file': {
        const token = readSecret(auth.file, 'Vault token');
        const { data } = await this.ask('auth/token/lookup-self', LookupAnswer, { method: 'GET', token });
        return { token, ttl: data.ttl, renewable: data.renewable ?? false, at: performance.now() };
      }
      case 'kubernetes': {
        const jwt = readSecret(auth.jwtFile ?? DEFAULT_JWT_FILE, 'service account token', false);
        return this.logInAt(auth.mount ?? 'kubernetes', { role: auth.role, jwt });
      }
      case 'cert':
        return this.logInAt(auth.mount ?? 'cert', auth.role === undefined ? {} : { name: auth.role });
    }
  }

  private async logInAt(mount: string, body: object): Promise<Login> {
    const { auth } = await this.ask(`auth/${mount}/login`, LoginAnswer, { method: 'POST', body });
    return {
      token: auth.client_token,
      ttl: auth.lease_duration,
      renewable: auth.renewable,
      at: performance.now(),
    };
  }

  private schedule(login: Login, inMs: number): void {
    // Before the token expires, and not all replicas in the same moment.
    if (login.ttl === 0) return;
    const delay = Math.min(inMs * (0.9 + Math.random() / 10), LONGEST_TIMER_MS);
    this.timer = setTimeout(() => void this.renew(login), delay);
    this.timer.unref();
  }

  private async renew(login: Login): Promise<void> {
    if (this.current !== login) return;
    try {
      if (login.renewable) {
        const { auth } = await this.ask('auth/token/renew-self', RenewAnswer, {
          method: 'POST',
          token: login.token,
          body: {},
        });
        // At its maximum lifetime Vault answers with the rest, which is then too little to continue with.
        if (auth.lease_duration > login.ttl / 2 || auth.lease_duration === 0) {
          this.tellEnd(auth.lease_duration);
          this.schedule(login, auth.lease_duration * RENEW_AFTER * 1_000);
          return;
        }
      }
      await this.replace(login);
    } catch (error) {
      let trouble: unknown = error;
      // No longer renewable, revoked, or, with OpenBao, of a pod that has another service account token by now.
      if (error instanceof VaultFailure && !error.passing && this.current === login) {
        trouble = await this.replace(login).catch((reason: unknown) => reason);
      }
      if (trouble === undefined || this.closing.signal.aborted || this.current !== login) return;
      this.onTrouble(`The Vault token was not renewed: ${reasonOf(trouble)}`);
      this.schedule(login, RENEW_RETRY_MS);
    }
  }

  /** The old token stays in use until there is another. */
  private async replace(old: Login): Promise<void> {
    const login = await this.authenticate();
    if (this.closing.signal.aborted || this.current !== old) return;
    if (login.token === old.token && login.ttl * 1_000 < RENEW_RETRY_MS) {
      this.onTrouble('The Vault token in the file is about to expire, and nobody has put another there');
    }
    this.current = login;
    this.tellEnd(login.ttl);
    this.schedule(login, Math.max(login.ttl * RENEW_AFTER * 1_000, RENEW_RETRY_MS));
  }

  /** @param ttl seconds from now; 0: it does not end */
  private tellEnd(ttl: number): void {
    this.onTokenEnd(ttl === 0 ? null : Date.now() + ttl * 1_000);
  }

  private async ask<T>(
    path: string,
    schema: z.ZodType<T>,
    { method, token, body }: { method: 'GET' | 'POST'; token?: string; body?: object },
  ): Promise<T> {
    const answer = await this.client.ask(method, path, {
      ...(token === undefined ? {} : { token }),
      ...(body === undefined ? {} : { body }),
      signal: this.closing.signal,
    });
    const read = schema.safeParse(answer);
    if (read.success) return read.data;
    throw new VaultFailure(`Vault's answer to ${path} is not one`, 200, false);
  }
}

/** @param isPrivate whether others on the machine must not be able to read it; Kubernetes's own files are its business */
function readSecret(path: string, what: string, isPrivate = true): string {
  let text: string;
  try {
    const { mode, size } = statSync(path);
    if (isPrivate && (mode & 0o007) !== 0) {
      throw new SignerError(
        'misconfigured',
        `The file ${path} with the ${what} can be read by everybody. Run: chmod o-rwx ${path}`,
      );
    }
    if (size > MAX_TOKEN_BYTES) throw new Error(`it has ${size} bytes`);
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof SignerError) throw error;
    throw new SignerError(
      'misconfigured',
      `The file ${path} with the ${what} cannot be read: ${reasonOf(error)}`,
    );
  }
  // It goes into a header or a body as it is.
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new SignerError('misconfigured', `The file ${path} holds no ${what}`);
}
