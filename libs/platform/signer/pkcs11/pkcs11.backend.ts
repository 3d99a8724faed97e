import { pemOfRawKey } from '#evidence';
import { failingKey, selfTestKey } from '../key-self-test';
import { SignerError, type SignerErrorCode, reasonOf } from '../signer.error';
import {
  assertAsMade,
  isKeyName,
  type BackendHealth,
  type KeyInfo,
  type KeyMaker,
  type KeyRequest,
  sameKey,
  type SigningBackend,
} from '../signing-backend';
import { type TokenFacts, type TokenKey } from './pkcs11-token.process';
import { TokenProcess, TokenRefusal } from './token-process';

export interface Pkcs11BackendOptions {
  /** The vendor's shared library, for instance /usr/lib/softhsm/libsofthsm2.so. */
  modulePath: string;
  tokenLabel: string;
  /** Mode 0600. Only the token process reads the PIN, which is never an argument or in an environment. */
  pinFile: string;
  /** Added to the token process's environment (SoftHSM: SOFTHSM2_CONF). */
  environment?: Record<string, string>;
  keys: KeyRequest[];
  /** Each has its own session; a large batch is split between them. Default {@link DEFAULT_PROCESSES}. */
  processes?: number;
  /** A token that takes longer for one part of a batch is abandoned. Default {@link DEFAULT_OPERATION_TIMEOUT_MS}. */
  operationTimeoutMs?: number;
  /** Whether NODE_ENV is production. SoftHSM is a token in files, so it is refused there, unless it is allowed. */
  production?: boolean;
  allowSoftHsm?: boolean;
  /** Called with one sentence about a failure or a recovery. */
  onTrouble?: (sentence: string) => void;
}

/** One per core: measured with SoftHSM on two cores, 15,700 signatures/s with one and 29,700/s with two. */
export const DEFAULT_PROCESSES = 2;
/**
 * Below this many messages per part, a second process costs more than it saves (30 us a part, against 70 us a
 * signature).
 */
const SMALLEST_PART = 4;
/** Far above what a full batch takes (512 x 72 us), far below what an operator would wait for a token that hangs. */
export const DEFAULT_OPERATION_TIMEOUT_MS = 5_000;
const OPEN_TIMEOUT_MS = 15_000;
const CLOSE_GRACE_MS = 2_000;
const RESTART_FIRST_MS = 100;
const RESTART_LONGEST_MS = 5_000;

/** Failures of one process or session, which another may not have. */
const MAY_PASS: ReadonlySet<SignerErrorCode> = new Set(['signing_unavailable', 'token_error']);

interface Seat {
  process: TokenProcess | null;
  ready: boolean;
  restartInMs: number;
  timer: NodeJS.Timeout | null;
}

/** Manufacturer that SoftHSM 2 states ("SoftHSM project"). */
const SOFTHSM = /softhsm/i;

/**
 * Ed25519 keys in a PKCS#11 token, found by label (= kid), which must have been made in it and can never leave it.
 * A session that answered with an error is discarded, a process that hangs or dies is replaced.
 */
export class Pkcs11Backend implements SigningBackend {
  readonly name = 'pkcs11';
  readonly maker: KeyMaker = {
    has: async (kid) => {
      const { taken } = await this.askOne((process) => process.ask({ op: 'has', kid }, OPEN_TIMEOUT_MS));
      return taken === true;
    },
    make: (request) => this.hold(request, { op: 'make', now: new Date().toISOString() }),
    take: (request) => this.hold(request, { op: 'take' }),
  };
  private readonly seats: Seat[] = [];
  private infos: KeyInfo[] = [];
  /** Keys added after opening. */
  private readonly added: KeyRequest[] = [];
  private facts: TokenFacts | null = null;
  private closed = false;
  /** Set when the token refused the PIN: no process is started again, or the token would lock itself. */
  private lockedOut: string | null = null;
  private lastTrouble = '';

  private constructor(private readonly options: Pkcs11BackendOptions) {}

  /**
   * Starts the token processes, checks and self-tests token and keys in each of them.
   * @throws SignerError `refused_in_production`, `misconfigured`, `unknown_key`, `key_refused`, `token_error`, `signing_unavailable`
   */
  static async open(options: Pkcs11BackendOptions): Promise<Pkcs11Backend> {
    for (const { kid } of options.keys) {
      if (!isKeyName(kid)) throw new SignerError('invalid_request', `"${kid}" cannot be the name of a key`);
    }
    const backend = new Pkcs11Backend(options);
    try {
      // The first by itself: a wrong PIN is then tried once, not once per process.
      for (let n = 0; n < (options.processes ?? DEFAULT_PROCESSES); n++) {
        const seat: Seat = { process: null, ready: false, restartInMs: RESTART_FIRST_MS, timer: null };
        backend.seats.push(seat);
        await backend.start(seat);
      }
    } catch (error) {
      await backend.close();
      throw error;
    }
    return backend;
  }

  keys(): readonly KeyInfo[] {
    return this.infos;
  }

  /** Processes that hold sessions now, for operators and tests. */
  processIds(): number[] {
    return this.seats.flatMap(({ process, ready }) => (ready && process?.pid ? [process.pid] : []));
  }

  async sign(kid: string, messages: readonly Uint8Array[]): Promise<Uint8Array[]> {
    if (this.closed) throw new SignerError('closed', 'The pkcs11 signer is closed');
    if (!this.infos.some((info) => info.kid === kid)) {
      throw new SignerError('unknown_key', `The pkcs11 signer has no key ${kid}`, { kid });
    }
    const ready = this.seats.filter((seat) => seat.ready).length;
    const parts = Math.max(1, Math.min(ready, Math.floor(messages.length / SMALLEST_PART)));
    const size = Math.ceil(messages.length / parts);
    const signed = await Promise.all(
      Array.from({ length: parts }, (_, part) =>
        this.signPart(kid, messages.slice(part * size, (part + 1) * size)),
      ),
    );
    return signed.flat();
  }

  async health(): Promise<BackendHealth> {
    if (this.closed) return { ok: false, detail: 'closed' };
    const ready = this.seats.filter((seat) => seat.ready).length;
    const seats = `${ready} of ${this.seats.length} token processes ready`;
    if (ready === 0) return { ok: false, detail: `${seats}: ${this.lockedOut ?? this.lastTrouble}` };
    try {
      const failing = await failingKey(this.infos, (kid, messages) => this.sign(kid, messages));
      if (failing !== undefined) return { ok: false, detail: failing };
    } catch (error) {
      return { ok: false, detail: `${seats}: ${reasonOf(error)}` };
    }
    const token = `token "${this.options.tokenLabel}" (${this.facts?.manufacturer} ${this.facts?.model})`;
    return {
      ok: true,
      detail: `${seats}, ${this.infos.length} keys in ${token}, known vector ${this.facts?.knownVector}`,
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(
      this.seats.map(async (seat) => {
        if (seat.timer) clearTimeout(seat.timer);
        seat.ready = false;
        await seat.process?.close(CLOSE_GRACE_MS);
      }),
    );
  }

  /** Makes one process create or check the key, which all others will find, and tests it. */
  private async hold(
    request: KeyRequest,
    how: { op: 'make'; now: string } | { op: 'take' },
  ): Promise<KeyInfo> {
    const { kid } = request;
    if (!isKeyName(kid)) throw new SignerError('invalid_request', `"${kid}" cannot be the name of a key`);
    const held = this.infos.find((info) => info.kid === kid);
    if (held) return sameKey(held, request);
    return this.askOne(async (process) => {
      const { purposes } = request;
      const { keys } = await process.ask({ ...how, key: { kid, purposes } }, OPEN_TIMEOUT_MS);
      const info = this.infoOf(request, keys?.[0]);
      assertAsMade(info, request);
      await this.admit(process, info);
      const meanwhile = this.infos.find((other) => other.kid === kid);
      if (meanwhile) return sameKey(meanwhile, request);
      this.added.push({ kid, purposes });
      this.infos = [...this.infos, info];
      return info;
    });
  }

  private async askOne<T>(ask: (process: TokenProcess) => Promise<T>): Promise<T> {
    if (this.closed) throw new SignerError('closed', 'The pkcs11 signer is closed');
    const process = this.leastBusy();
    if (!process) throw this.noneReady();
    return ask(process);
  }

  private noneReady(): SignerError {
    return new SignerError(
      'signing_unavailable',
      `No PKCS#11 token process is ready: ${this.lockedOut ?? this.lastTrouble}`,
    );
  }

  private infoOf({ kid, purposes }: KeyRequest, key: TokenKey | undefined): KeyInfo {
    if (key?.kid !== kid) throw new SignerError('token_error', `The token process lost key ${kid}`);
    const { manufacturer = '', model = '' } = this.facts ?? {};
    return {
      kid,
      keyVersion: '1',
      algorithm: 'ed25519',
      publicKeyPem: pemOfRawKey(key.publicKey),
      purposes,
      backend: this.name,
      protection: SOFTHSM.test(`${manufacturer} ${model}`) ? 'softhsm' : 'hsm',
      createdAt: key.createdAt,
    };
  }

  /** One retry in another process: signing the same bytes again is harmless, and Ed25519 gives the same signature. */
  private async signPart(kid: string, messages: Uint8Array[]): Promise<Uint8Array[]> {
    try {
      return await this.signOnce(kid, messages);
    } catch (error) {
      if (this.closed || !(error instanceof SignerError) || !MAY_PASS.has(error.code)) throw error;
      if (!this.leastBusy()) throw error;
      return this.signOnce(kid, messages);
    }
  }

  private async signOnce(kid: string, messages: Uint8Array[]): Promise<Uint8Array[]> {
    const process = this.leastBusy();
    if (!process) throw this.noneReady();
    try {
      return await signWith(
        process,
        kid,
        messages,
        this.options.operationTimeoutMs ?? DEFAULT_OPERATION_TIMEOUT_MS,
      );
    } catch (error) {
      this.noteLockout(error);
      // It also failed in a fresh session, so the module itself may be faulty: start over with a new process.
      if (error instanceof TokenRefusal && (error.code === 'token_error' || error.failure.lockout)) {
        this.trouble(`The token answered with an error: ${error.message}`);
        process.giveUp(error.message);
      }
      throw error;
    }
  }

  private leastBusy(): TokenProcess | null {
    let best: TokenProcess | null = null;
    for (const { ready, process } of this.seats) {
      if (ready && process?.usable && (!best || process.pending < best.pending)) best = process;
    }
    return best;
  }

  private async start(seat: Seat): Promise<void> {
    const { options } = this;
    const process = new TokenProcess();
    seat.process = process;
    void process.down.then(() => this.replace(seat));
    try {
      const { keys, token } = await process.ask(
        {
          op: 'open',
          modulePath: options.modulePath,
          tokenLabel: options.tokenLabel,
          pinFile: options.pinFile,
          environment: options.environment ?? {},
          keys: options.keys,
        },
        OPEN_TIMEOUT_MS,
      );
      if (!token) throw new SignerError('token_error', 'The token process did not say what token it has');
      if (SOFTHSM.test(`${token.manufacturer} ${token.model}`)) this.permitSoftHsm();
      this.facts = token;
      const infos = options.keys.map((request, index) => this.infoOf(request, keys?.[index]));
      for (const info of infos) await this.admit(process, info);
      infos.push(...(await this.takeAdded(process)));
      // A key may have been added since this process was asked; it finds the key when it signs with it.
      const since = this.infos.filter(
        ({ kid }) => this.added.some((key) => key.kid === kid) && !infos.some((info) => info.kid === kid),
      );
      this.infos = [...infos, ...since];
      seat.ready = true;
      seat.restartInMs = RESTART_FIRST_MS;
    } catch (error) {
      this.noteLockout(error);
      this.lastTrouble = reasonOf(error);
      process.giveUp(this.lastTrouble);
      throw error;
    }
  }

  /** A key that was destroyed meanwhile does not affect the others: it cannot be removed from a configuration. */
  private async takeAdded(process: TokenProcess): Promise<KeyInfo[]> {
    const infos: KeyInfo[] = [];
    for (const request of [...this.added]) {
      try {
        const { keys } = await process.ask({ op: 'take', key: request }, OPEN_TIMEOUT_MS);
        const info = this.infoOf(request, keys?.[0]);
        await this.admit(process, info);
        infos.push(info);
      } catch (error) {
        if (!(error instanceof SignerError && error.code === 'unknown_key')) throw error;
        this.added.splice(this.added.indexOf(request), 1);
        this.trouble(`${error.message}: it is not offered any more`);
      }
    }
    return infos;
  }

  /** @throws SignerError `refused_in_production` */
  private permitSoftHsm(): void {
    const { production = false, allowSoftHsm = false, tokenLabel } = this.options;
    if (!production || allowSoftHsm) return;
    throw new SignerError(
      'refused_in_production',
      `The token "${tokenLabel}" is SoftHSM, which keeps its keys in files, and is refused when NODE_ENV=production: ` +
        'use a hardware token or a KMS, or say KERNEL_ALLOW_SOFTHSM=true where that is meant.',
    );
  }

  /** Checks that a key signs correctly and has not changed since it was first seen. */
  private async admit(process: TokenProcess, info: KeyInfo): Promise<void> {
    const known = this.infos.find(({ kid }) => kid === info.kid);
    if (known && known.publicKeyPem !== info.publicKeyPem) {
      throw new SignerError(
        'key_refused',
        `Key ${info.kid} in token "${this.options.tokenLabel}" is not the key it was: it is not used under the old name`,
        { kid: info.kid },
      );
    }
    await selfTestKey({
      kid: info.kid,
      publicKeyPem: info.publicKeyPem,
      sign: async (message) => {
        const [signature] = await signWith(process, info.kid, [message], OPEN_TIMEOUT_MS);
        return signature ?? new Uint8Array(0);
      },
    });
  }

  private replace(seat: Seat): void {
    if (this.closed) return;
    if (seat.ready) this.trouble('A PKCS#11 token process ended and is being replaced');
    seat.ready = false;
    if (this.lockedOut !== null || seat.timer) return;
    seat.timer = setTimeout(() => {
      seat.timer = null;
      if (this.closed) return;
      this.start(seat).then(
        () => this.options.onTrouble?.('A PKCS#11 token process is ready again'),
        (error: unknown) => this.trouble(`A PKCS#11 token process did not start: ${reasonOf(error)}`),
      );
    }, seat.restartInMs);
    seat.restartInMs = Math.min(seat.restartInMs * 2, RESTART_LONGEST_MS);
  }

  private noteLockout(error: unknown): void {
    if (error instanceof TokenRefusal && error.failure.lockout) this.lockedOut = error.message;
  }

  private trouble(sentence: string): void {
    this.lastTrouble = sentence;
    if (this.closed) return;
    this.options.onTrouble?.(sentence);
  }
}

async function signWith(
  process: TokenProcess,
  kid: string,
  messages: Uint8Array[],
  timeoutMs: number,
): Promise<Uint8Array[]> {
  const { signatures } = await process.ask({ op: 'sign', kid, messages }, timeoutMs);
  if (signatures?.length !== messages.length * 64) {
    throw new SignerError(
      'token_error',
      `The token process answered ${messages.length} messages with something else`,
    );
  }
  return messages.map((_, index) => signatures.subarray(index * 64, (index + 1) * 64));
}
