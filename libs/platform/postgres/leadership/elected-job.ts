import { setTimeout as delay } from 'node:timers/promises';
import { type Secret } from '#platform/process';
import { standForElection, type Term } from './stand-for-election';

/** Pause after a failed look: mostly because the database is unreachable. */
const RETRY_MS = 2_000;

/** A process that may become the leader. */
export abstract class Candidate {
  /** URL of PostgreSQL itself, not of a pooler. */
  abstract readonly databaseUrl: Secret;
  /** Names this process to people. */
  abstract readonly holder: string;
}

export interface ElectedJobOptions {
  readonly candidate: Candidate;
  /** Name of the job: one process does it at a time. */
  readonly name: string;
  /** Interval between two looks. */
  readonly everyMs: number;
  readonly logger: { warn(message: string): void; error(message: string): void };
  /** Whether it may work at all now; a mode may forbid it. */
  readonly mayWork: () => boolean;
  /** @returns true when there is more to do at once */
  readonly look: (term: Term) => Promise<boolean | void>;
  /** Runs beside the looks for as long as the term holds. */
  readonly beside?: (term: Term) => Promise<void>;
  readonly onTerm: (leading: boolean) => void;
}

/** A job that one process at a time does, look by look, for as long as it is the leader. */
export class ElectedJob {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: ElectedJobOptions) {}

  start(): void {
    const { candidate, name, logger, onTerm, beside } = this.options;
    this.running = standForElection(
      {
        url: candidate.databaseUrl,
        holder: candidate.holder,
        name,
        observer: { onElected: () => onTerm(true), onEnded: () => onTerm(false) },
      },
      async (term) => {
        await Promise.all([this.lead(term), beside?.(term)]);
      },
      this.stopping.signal,
    ).catch((error: unknown) => logger.error(`${name} ended: ${String(error)}`));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async lead(term: Term): Promise<void> {
    const { name, everyMs, logger } = this.options;
    while (term.holds()) {
      let pause = everyMs;
      if (this.options.mayWork()) {
        try {
          if (await this.options.look(term)) continue;
        } catch (error) {
          logger.warn(`${name} could not look: ${error instanceof Error ? error.message : String(error)}`);
          pause = RETRY_MS;
        }
      }
      await delay(pause, undefined, { signal: term.signal }).catch(() => undefined);
    }
  }
}
