import { KernelApiClient } from '../../api/kernel-api.client';
import { DrillFault } from './drill-fault';
import { type ScratchKernel } from './scratch-kernel';
import { SteadyWriter } from './steady-writer';

export interface Step {
  readonly what: string;
  readonly seconds: number;
  readonly outcome: 'done' | 'failed';
  /** What it showed, or why it failed. */
  readonly shown?: string;
}

/** What one drill found out. */
export interface DrillResult {
  readonly drill: string;
  readonly verdict: 'passed' | 'failed';
  readonly startedAt: string;
  readonly seconds: number;
  /** From a fault until a write was acknowledged that was sent after it, the longest; null when none was after some fault. */
  readonly rtoSeconds: number | null;
  /** Acknowledged events that were not there afterwards; null when that was not looked at. */
  readonly lostEvents: number | null;
  readonly acknowledgedEvents: number;
  readonly steps: readonly Step[];
}

/** How many events are looked for at once. */
const LOOKED_FOR = 16;

/** One run of a drill: its steps with their times, what was written meanwhile, and what that says. */
export class DrillRun {
  readonly steps: Step[] = [];
  private readonly startedAt = new Date();
  private readonly began = performance.now();
  private readonly faults: number[] = [];
  private writing: SteadyWriter | undefined;
  private lost: number | undefined;

  constructor(
    readonly drill: string,
    readonly kernel: ScratchKernel,
    private readonly told: (step: Step) => void,
  ) {}

  get writer(): SteadyWriter {
    if (this.writing === undefined) throw new Error('nothing is written before the kernel is there');
    return this.writing;
  }

  /** @returns what the action returns; a string is shown beside the step @throws DrillFault when it fails */
  async step<T>(what: string, action: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const end = (outcome: Step['outcome'], shown: unknown) => {
      const step = {
        what,
        seconds: roundedSeconds(performance.now() - began),
        outcome,
        ...(typeof shown === 'string' && shown !== '' ? { shown } : {}),
      };
      this.steps.push(step);
      this.told(step);
    };
    try {
      const result = await action();
      end('done', result);
      return result;
    } catch (error) {
      end('failed', (error as Error).message);
      throw error instanceof DrillFault ? error : new DrillFault((error as Error).message, { cause: error });
    }
  }

  /** The step that breaks something: recovery is counted from here. */
  async fault<T>(what: string, action: () => Promise<T>): Promise<T> {
    this.faults.push(performance.now());
    return this.step(what, action);
  }

  async startWriting(): Promise<void> {
    this.writing = new SteadyWriter(await this.kernel.connection('operator'));
    await this.writing.untilAcknowledged(3, 30_000);
  }

  /** Stops writing, and looks for every event that was acknowledged. @throws DrillFault when one is missing */
  async nothingIsLost(): Promise<string> {
    await this.writer.stop();
    const client = new KernelApiClient(await this.kernel.connection('auditor'));
    const missing: string[] = [];
    try {
      const ids = this.writer.acknowledged.map(({ id }) => id);
      while (ids.length > 0) {
        const found = await Promise.all(
          ids.splice(0, LOOKED_FOR).map(async (id) => ((await isThere(client, id)) ? [] : [id])),
        );
        missing.push(...found.flat());
      }
    } finally {
      await client.close();
    }
    this.lost = missing.length;
    if (missing.length > 0) throw new DrillFault(`${missing.length} acknowledged events are missing`);
    return `${this.writer.acknowledged.length} acknowledged events are there`;
  }

  async close(): Promise<void> {
    await this.writing?.stop();
  }

  result(passed: boolean): DrillResult {
    return {
      drill: this.drill,
      verdict: passed ? 'passed' : 'failed',
      startedAt: this.startedAt.toISOString(),
      seconds: roundedSeconds(performance.now() - this.began),
      rtoSeconds: this.longestRecovery(),
      lostEvents: this.lost ?? null,
      acknowledgedEvents: this.writing?.acknowledged.length ?? 0,
      steps: this.steps,
    };
  }

  private longestRecovery(): number | null {
    const acknowledged = this.writing?.acknowledged ?? [];
    const recoveries = this.faults.map((at) => {
      const next = acknowledged.find(({ sentAt }) => sentAt >= at);
      return next === undefined ? Infinity : next.answeredAt - at;
    });
    const longest = Math.max(...recoveries);
    return Number.isFinite(longest) ? roundedSeconds(longest) : null;
  }
}

async function isThere(client: KernelApiClient, id: string): Promise<boolean> {
  try {
    return (await client.getJson<{ id: string }>(`/kernel/audit/${id}`)).id === id;
  } catch (error) {
    if ((error as { details?: { status?: number } }).details?.status === 404) return false;
    throw error;
  }
}

function roundedSeconds(ms: number): number {
  return Math.round(ms) / 1000;
}
