import { Injectable, Logger } from '@nestjs/common';
import { PipelineDurability } from '#platform/audit-stream';
import { PublishedLog } from '#platform/log';

/** Three times what publishing takes when all is well, a slow witness included. */
const WAIT_MS = 5_000;

/** Proofs for evidence, out of the published log. Evidence is also issued without them. */
@Injectable()
export class PublishedProofs {
  private readonly logger = new Logger(PublishedProofs.name);

  constructor(
    private readonly log: PublishedLog,
    private readonly durability: PipelineDurability,
  ) {}

  /**
   * The proofs of these events up to one published checkpoint, in order. Waits until there is one that has them all; none when
   * that takes too long: evidence without them is called not anchored.
   */
  async of(shard: number, seqs: readonly number[]): Promise<readonly string[]> {
    try {
      const now = await this.log.proofs(shard, seqs);
      if (now !== null) return now.proofs;
      const last = `${shard}:${Math.max(...seqs)}`;
      const waitMs = Math.min(WAIT_MS, this.durability.maxWaitMs);
      await this.durability.reached('logged', last, waitMs, AbortSignal.timeout(waitMs));
      const then = await this.log.proofs(shard, seqs);
      if (then !== null) return then.proofs;
      this.logger.warn(`no proof of inclusion: no checkpoint that has ${last} is published`);
      return [];
    } catch (error) {
      this.logger.warn(`no proof of inclusion: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    }
  }
}
