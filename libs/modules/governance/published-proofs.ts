import { Injectable, Logger } from '@nestjs/common';
import { PipelineDurability } from '#platform/audit-stream';
import { PublishedLog } from '#platform/log';

/** Twice what publishing takes when all is well. */
const WAIT_MS = 3_000;

/** Proofs for evidence, out of the published log. Evidence is also issued without them. */
@Injectable()
export class PublishedProofs {
  private readonly logger = new Logger(PublishedProofs.name);

  constructor(
    private readonly log: PublishedLog,
    private readonly durability: PipelineDurability,
  ) {}

  /** The proofs of these events up to one published checkpoint, in order; none when there is no such checkpoint yet. */
  async of(shard: number, seqs: readonly number[]): Promise<readonly string[]> {
    try {
      const now = await this.log.proofs(shard, seqs);
      if (now !== null) return now.proofs;
      // Where nothing was ever published, waiting is in vain.
      if ((await this.log.size(shard)) === 0) return [];
      const last = `${shard}:${Math.max(...seqs)}`;
      const waitMs = Math.min(WAIT_MS, this.durability.maxWaitMs);
      await this.durability.reached('logged', last, waitMs, AbortSignal.timeout(waitMs));
      return (await this.log.proofs(shard, seqs))?.proofs ?? [];
    } catch (error) {
      this.logger.warn(`no proof of inclusion: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    }
  }
}
