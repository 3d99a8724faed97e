import { CircuitBreaker, type CircuitBreakerOptions, stopAfter } from '#platform/resilience';
import { SignerError, type SignerErrorCode, reasonOf } from './signer.error';
import {
  type BackendHealth,
  type CheckpointAuthority,
  type KeyInfo,
  type KeyMaker,
  type SigningBackend,
  type SigningHints,
} from './signing-backend';

/** Under the caller's own 1.2 s, so that it gets a reason instead of its own timeout. */
export const DEFAULT_BACKEND_TIMEOUT_MS = 1_000;
/** A health check signs with each key; no one waits longer for it. */
const HEALTH_TIMEOUT_MS = 3_000;
/** A key is made a few times a year, and a token may take seconds for it. Under the limit of the callers. */
const MAKING_TIMEOUT_MS = 15_000;

/** `refused`: because of the request; `unavailable`: not called, because it has just failed several times. */
export type SignOutcome = 'signed' | 'refused' | 'failed' | 'timeout' | 'unavailable';

export interface GuardObserver {
  onSign?(seen: { backend: string; outcome: SignOutcome; messages: number; ms: number }): void;
  /** The circuit opened (with the reason) or closed again (null). */
  onCircuit?(backend: string, reason: string | null): void;
}

export interface GuardOptions extends Omit<CircuitBreakerOptions, 'onChange'> {
  /** Limit for the signatures of one call. Default {@link DEFAULT_BACKEND_TIMEOUT_MS}. */
  timeoutMs?: number;
  observer?: GuardObserver;
}

/** Failures that say something about the request and nothing about the backend. */
const OF_THE_REQUEST: ReadonlySet<SignerErrorCode> = new Set([
  'unknown_key',
  'invalid_request',
  'signing_refused',
  'closed',
]);

/** Any backend with a deadline and a circuit breaker around it, so that a slow or broken one answers at once. */
export class GuardedBackend implements SigningBackend {
  readonly name: string;
  private readonly circuit: CircuitBreaker;
  private readonly timeoutMs: number;

  constructor(
    private readonly backend: SigningBackend,
    private readonly options: GuardOptions = {},
  ) {
    this.name = backend.name;
    this.timeoutMs = options.timeoutMs ?? DEFAULT_BACKEND_TIMEOUT_MS;
    this.circuit = new CircuitBreaker({
      ...options,
      onChange: (reason) => options.observer?.onCircuit?.(this.name, reason),
    });
  }

  /** Key maker with a deadline; the circuit is only for signatures. */
  get maker(): KeyMaker | string | undefined {
    const { maker } = this.backend;
    if (maker === undefined || typeof maker === 'string') return maker;
    const bounded = <T>(act: () => Promise<T>): Promise<T> => this.within(MAKING_TIMEOUT_MS, undefined, act);
    return {
      has: (kid) => bounded(() => maker.has(kid)),
      make: (request) => bounded(() => maker.make(request)),
      take: (request) => bounded(() => maker.take(request)),
    };
  }

  get checkpoints(): CheckpointAuthority | undefined {
    const { checkpoints } = this.backend;
    return (
      checkpoints && {
        signCheckpoint: async (request) =>
          this.guarded(1, undefined, () => checkpoints.signCheckpoint(request)),
        checkpoints: async () => this.within(this.timeoutMs, undefined, () => checkpoints.checkpoints()),
      }
    );
  }

  keys(): readonly KeyInfo[] {
    return this.backend.keys();
  }

  sign(
    kid: string,
    messages: readonly Uint8Array[],
    outer?: AbortSignal,
    hints?: SigningHints,
  ): Promise<Uint8Array[]> {
    return this.guarded(messages.length, outer, (signal) => this.backend.sign(kid, messages, signal, hints));
  }

  private async guarded<T>(
    messages: number,
    outer: AbortSignal | undefined,
    sign: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const started = performance.now();
    const seen = (outcome: SignOutcome): void =>
      this.options.observer?.onSign?.({
        backend: this.name,
        outcome,
        messages,
        ms: performance.now() - started,
      });
    const permit = this.circuit.enter();
    if (!permit) {
      seen('unavailable');
      throw new SignerError(
        'signing_unavailable',
        `The backend ${this.name} has failed several times in a row and gets a rest: ${this.circuit.openReason}`,
        { backend: this.name, reason: 'circuit_open' },
      );
    }
    try {
      const signatures = await this.within(this.timeoutMs, outer, sign);
      permit.succeeded();
      seen('signed');
      return signatures;
    } catch (error) {
      if (error instanceof SignerError && OF_THE_REQUEST.has(error.code)) {
        permit.undecided();
        seen('refused');
      } else {
        permit.failed(reasonOf(error));
        seen(error instanceof SignerError && error.details['reason'] === 'deadline' ? 'timeout' : 'failed');
      }
      throw error;
    }
  }

  async health(): Promise<BackendHealth> {
    try {
      const health = await this.within(HEALTH_TIMEOUT_MS, undefined, () => this.backend.health());
      // It has just signed with each key: a caller who is told so must not be refused.
      if (health.ok) this.circuit.close();
      return health;
    } catch (error) {
      return { ok: false, detail: reasonOf(error) };
    }
  }

  close(): Promise<void> {
    return this.backend.close();
  }

  /** Stops work that is late, and does not wait for it; backends bound it themselves. */
  private within<T>(
    ms: number,
    outer: AbortSignal | undefined,
    act: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const late = (): SignerError =>
      new SignerError('signing_unavailable', `The backend ${this.name} did not answer within ${ms} ms`, {
        backend: this.name,
        reason: 'deadline',
      });
    return stopAfter(ms, late, act, outer);
  }
}
