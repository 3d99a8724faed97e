import { LogError } from '../log.error';
import { type WitnessAnswer, type WitnessRequest } from '../witness/http-witness';
import { WitnessError } from '../witness/witness.error';
import { requestTimeoutMs, type WitnessClient, type WitnessPolicy } from './witness';

export interface CosignRequest {
  /** The signed note of a tree of this size. */
  readonly note: string;
  readonly size: number;
  /** The proof that the tree continues its first `from` leaves. */
  consistency(from: number): Promise<readonly Uint8Array[]>;
}

export interface CosigningObserver {
  onCosigned?(witness: string, ms: number): void;
  onFailed?(witness: string, error: unknown): void;
}

export interface CosigningOptions {
  readonly policy: WitnessPolicy;
  /** How long a checkpoint waits for its quorum. */
  readonly timeoutMs: number;
  readonly observer?: CosigningObserver;
  /** Lines of a witness that came after the checkpoint no longer waited for them. */
  readonly onLate?: (note: string, witness: string, lines: readonly string[]) => void;
}

/** A witness that is at another size says so once; a second time it moved meanwhile. */
const ATTEMPTS = 3;

/**
 * Cosignatures for the checkpoints of one log. Each witness has one request under way at a time, and of what waits only
 * the newest checkpoint is sent: a slow one delays nobody and piles up nothing.
 */
export class Cosigning {
  private readonly lanes: Lane[];
  private readonly stopping = new AbortController();

  constructor(private readonly options: CosigningOptions) {
    this.lanes = options.policy.witnesses.map((witness) => ({
      witness,
      size: 0,
      running: false,
      next: null,
    }));
  }

  /**
   * The lines that came until there was a quorum, by witness.
   * @throws LogError `quorum_missed` when there is none in time
   */
  async collect(request: CosignRequest): Promise<ReadonlyMap<string, readonly string[]>> {
    const { policy, timeoutMs } = this.options;
    const given = new Map<string, readonly string[]>();
    if (this.lanes.length === 0) return given;
    let waiting = true;
    const enough = Promise.withResolvers<void>();
    let open = this.lanes.length;
    for (const lane of this.lanes) {
      this.offer(lane, {
        ...request,
        done: (lines) => {
          open--;
          if (!waiting) {
            if (lines !== null) this.options.onLate?.(request.note, lane.witness.name, lines);
            return;
          }
          if (lines !== null) given.set(lane.witness.name, lines);
          if (open === 0 || policy.isQuorum(new Set(given.keys()))) enough.resolve();
        },
      });
    }
    const timer = setTimeout(() => enough.resolve(), timeoutMs);
    // A policy that asks for nobody does not wait, and takes what comes late.
    if (policy.isQuorum(new Set())) enough.resolve();
    await enough.promise;
    clearTimeout(timer);
    waiting = false;
    if (policy.isQuorum(new Set(given.keys()))) return given;
    const missing = this.lanes.map(({ witness }) => witness.name).filter((name) => !given.has(name));
    throw new LogError(
      'quorum_missed',
      `The checkpoint of size ${request.size} has ${given.size} cosignatures, which is no quorum; within ${timeoutMs} ms none came from ${missing.join(', ')}. It is not published; see whether these witnesses can be reached.`,
      { size: request.size, missing },
    );
  }

  stop(): void {
    this.stopping.abort();
  }

  private offer(lane: Lane, job: Job): void {
    lane.next?.done(null);
    lane.next = job;
    if (!lane.running) void this.run(lane);
  }

  private async run(lane: Lane): Promise<void> {
    lane.running = true;
    for (let job = lane.next; job !== null && !this.stopping.signal.aborted; job = lane.next) {
      lane.next = null;
      const began = performance.now();
      try {
        const lines = await this.cosigned(lane, job);
        this.options.observer?.onCosigned?.(lane.witness.name, performance.now() - began);
        job.done(lines);
      } catch (error) {
        if (!this.stopping.signal.aborted) this.options.observer?.onFailed?.(lane.witness.name, error);
        job.done(null);
      }
    }
    lane.running = false;
  }

  private async cosigned(lane: Lane, job: Job): Promise<readonly string[]> {
    const { name } = lane.witness;
    for (let attempt = 1; ; attempt++) {
      const oldSize = lane.size;
      const consistency = oldSize === 0 ? [] : await job.consistency(oldSize);
      const answer = await this.asked(lane, { oldSize, consistency, checkpointNote: job.note });
      if ('cosignatures' in answer) {
        lane.size = job.size;
        return answer.cosignatures;
      }
      if (answer.conflict > job.size || attempt === ATTEMPTS) {
        throw new WitnessError(
          'refused',
          `The witness ${name} is at size ${answer.conflict} and does not cosign a tree of ${job.size}.`,
          { witness: name, size: answer.conflict },
        );
      }
      lane.size = answer.conflict;
    }
  }

  private async asked({ witness }: Lane, request: WitnessRequest): Promise<WitnessAnswer> {
    const ms = requestTimeoutMs(this.options.timeoutMs);
    const timeout = AbortSignal.timeout(ms);
    try {
      return await witness.addCheckpoint(request, AbortSignal.any([this.stopping.signal, timeout]));
    } catch (cause) {
      if (!timeout.aborted || this.stopping.signal.aborted) throw cause;
      const what = `The witness ${witness.name} could not be asked: no answer within ${ms} ms.`;
      throw new WitnessError('unreachable', what, { witness: witness.name }, { cause });
    }
  }
}

interface Job extends CosignRequest {
  /** Called once: with the lines, or null when there are none. */
  done(lines: readonly string[] | null): void;
}

interface Lane {
  readonly witness: WitnessClient;
  /** What it cosigned last, as far as is known. */
  size: number;
  running: boolean;
  next: Job | null;
}
