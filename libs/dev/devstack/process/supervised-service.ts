import { GrowingPause } from '#platform/resilience';
import { type RunningChild } from './child-process';

/** First pause before a service that died is started again; doubles up to the maximum. */
const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 10_000;
/** A service that ran this long is healthy: its next death starts again from the first pause. */
const STABLE_AFTER_MS = 30_000;

export type ServiceState = 'stopped' | 'starting' | 'running' | 'waiting to restart';

export interface ServiceDefinition {
  name: string;
  /** Starts the process and settles when it can be used; ends what it started when the signal is aborted. */
  start(signal: AbortSignal): Promise<RunningChild>;
  /** Time between the request to stop and SIGKILL. */
  stopGraceMs: number;
  /** Start it again when it dies; default true. */
  restart?: boolean;
  /** Called at every change of state, for the process record and the log. */
  onChange?: (service: SupervisedService, note: string) => void;
}

/** Keeps one process running: notices its death and starts it again, later and later while it keeps dying. */
export class SupervisedService {
  state: ServiceState = 'stopped';
  restarts = 0;
  private child: RunningChild | undefined;
  private wanted = false;
  private loop: Promise<void> | undefined;
  private wake = new AbortController();

  constructor(private readonly definition: ServiceDefinition) {}

  get name(): string {
    return this.definition.name;
  }

  get current(): RunningChild | undefined {
    return this.child?.exit === undefined ? this.child : undefined;
  }

  /** The first start is not retried: what is wrong then is wrong with the machine or the configuration. */
  async start(): Promise<void> {
    if (this.wanted) return;
    this.wanted = true;
    this.wake = new AbortController();
    this.set('starting', 'starting');
    try {
      this.child = await this.definition.start(this.wake.signal);
    } catch (error) {
      this.wanted = false;
      this.set('stopped', `did not start: ${(error as Error).message}`);
      throw error;
    }
    this.set('running', `running as process ${this.child.pid}`);
    this.loop = this.watch();
  }

  async stop(graceMs = this.definition.stopGraceMs): Promise<void> {
    this.wanted = false;
    this.wake.abort();
    await this.child?.stop(graceMs);
    await this.loop;
    this.loop = undefined;
    this.set('stopped', 'stopped');
  }

  /** Signals the process (default SIGKILL) and waits until it is gone; it comes back by itself unless `restart` is off. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.current;
    child?.kill(signal);
    await child?.exited;
    if (this.definition.restart === false) await this.loop;
  }

  private async watch(): Promise<void> {
    // Without jitter: no other supervisor restarts the same service at the same time.
    const pause = new GrowingPause(FIRST_BACKOFF_MS, MAX_BACKOFF_MS, (ms) => ms);
    for (;;) {
      const child = this.child;
      if (child !== undefined) {
        const since = Date.now();
        const exit = await child.exited;
        if (!this.stillWanted()) return;
        const cause = exit.signal ?? `exit code ${exit.code}`;
        if (this.definition.restart === false) {
          this.wanted = false;
          this.set('stopped', `ended (${cause})`);
          return;
        }
        if (Date.now() - since > STABLE_AFTER_MS) pause.reset();
        this.set('waiting to restart', `ended (${cause}), starting it again`);
      }
      await pause.wait(this.wake.signal);
      if (!this.stillWanted()) return;
      this.restarts += 1;
      this.set('starting', 'starting again');
      try {
        this.child = undefined;
        const started = await this.definition.start(this.wake.signal);
        this.child = started;
        if (!this.stillWanted()) {
          await started.stop(this.definition.stopGraceMs);
          return;
        }
        this.set('running', `running again as process ${started.pid}`);
      } catch (error) {
        if (!this.stillWanted()) return;
        this.set('waiting to restart', `did not start: ${(error as Error).message}`);
      }
    }
  }

  /** Read through a method: it changes while the loop waits. */
  private stillWanted(): boolean {
    return this.wanted;
  }

  private set(state: ServiceState, note: string): void {
    this.state = state;
    this.definition.onChange?.(this, note);
  }
}
