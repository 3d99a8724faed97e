import { Injectable, Logger } from '@nestjs/common';
import { logProofText } from '#evidence';
import { EventStore } from '#platform/event-store';
import { SignerError } from '#platform/signer';
import { CheckpointSigner, GovernanceOptions } from '../governance.ports';
import { ShardTrees } from './shard-trees';

/** Kernels that want a checkpoint at the same time: two or three. */
const MAX_ATTEMPTS = 4;

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

  /** A new checkpoint at the shard's head, which continues the last one. */
  private async signed(shard: number, needed: number): Promise<{ size: number; note: string }> {
    for (let attempt = 1; ; attempt++) {
      // The last checkpoint first: later commits only move the head further ahead.
      const last = await this.signer.last(shard);
      const size = (await this.store.heads()).find((head) => head.shard === shard)?.seq ?? needed;
      const { root } = await this.trees.proofs(shard, size, []);
      const consistency =
        last === null || last.size >= size
          ? null
          : { from: last.size, hashes: await this.trees.consistency(shard, last.size, size) };
      try {
        const checkpoint = { origin: this.options.origin, shard, size, root };
        return { size, note: await this.signer.sign(checkpoint, consistency) };
      } catch (error) {
        // Another kernel had one signed in between.
        const word = error instanceof SignerError ? error.details['error'] : undefined;
        if (word !== 'checkpoint_conflict' || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  /** Returns null when no checkpoint can be signed now: evidence is also issued without one. */
  async of(shard: number, seqs: readonly number[]): Promise<InclusionProofs | null> {
    const last = Math.max(...seqs);
    let checkpoint = this.checkpoints.get(shard);
    try {
      if (checkpoint === undefined || checkpoint.size < last) {
        checkpoint = await this.signed(shard, last);
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
