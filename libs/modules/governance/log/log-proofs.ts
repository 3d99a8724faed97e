import { Injectable, Logger } from '@nestjs/common';
import { logProofText } from '#evidence';
import { EventStore } from '#platform/event-store';
import { CheckpointSigner, GovernanceOptions } from '../governance.ports';
import { ShardTrees } from './shard-trees';

/** Proofs that events are in the tree of a signed checkpoint, as texts (c2sp.org/tlog-proof), and the checkpoint's size. */
export interface InclusionProofs {
  size: number;
  proofs: string[];
}

/**
 * Proves that events are in their shard's log. A checkpoint is signed when one is needed that covers later events than
 * the last one did: asking again for the same proofs costs no signature.
 */
@Injectable()
export class LogProofs {
  private readonly logger = new Logger(LogProofs.name);
  private readonly trees: ShardTrees;
  private readonly checkpoints = new Map<number, { size: number; note: string }>();

  constructor(
    private readonly store: EventStore,
    private readonly signer: CheckpointSigner,
    private readonly options: GovernanceOptions,
  ) {
    this.trees = new ShardTrees((shard, afterSeq, limit) => store.leafHashes(shard, { afterSeq, limit }));
  }

  /** Returns null when no checkpoint can be signed now: evidence is also issued without one. */
  async of(shard: number, seqs: readonly number[]): Promise<InclusionProofs | null> {
    const last = Math.max(...seqs);
    let checkpoint = this.checkpoints.get(shard);
    try {
      if (checkpoint === undefined || checkpoint.size < last) {
        const size = (await this.store.heads()).find((head) => head.shard === shard)?.seq ?? last;
        const { root } = await this.trees.proofs(shard, size, []);
        const note = await this.signer.sign({ origin: this.options.origin, shard, size, root });
        checkpoint = { size, note };
        this.checkpoints.set(shard, checkpoint);
      }
      const { size, note } = checkpoint;
      const { paths } = await this.trees.proofs(
        shard,
        size,
        seqs.map((seq) => seq - 1),
      );
      return { size, proofs: paths.map((path, i) => logProofText((seqs[i] ?? 0) - 1, path, note)) };
    } catch (error) {
      this.logger.warn(`no proof of inclusion: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }
}
