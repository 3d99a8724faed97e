import { includes, judgeCheckpoint, parseLogProof, spannedSigners } from '#evidence';
import { type Archive } from '#platform/archive';
import { registryOfChain } from '#platform/audit-stream';
import { type PublishedCheckpoint, type StoredEvent } from '#platform/event-store';
import { PublishedLog } from '#platform/log';
import { type OwnedDatabase } from '../as-owner';

/**
 * Looks for a published checkpoint whose tree has an event: signed by a checkpoint key of this kernel, with a path of
 * published hashes that leads from the event's bytes to its root. A log is published where it has a checkpoint, or where a log
 * publisher has ever been at work.
 */
export function publishedCheckpoints(
  archive: Archive,
  { dataSource, origin, shards, roots }: Pick<OwnedDatabase, 'dataSource' | 'origin' | 'shards' | 'roots'>,
): (event: StoredEvent) => Promise<PublishedCheckpoint | null | { readonly missing: string }> {
  return async ({ event: { shard, seq }, bytes }) => {
    const log = new PublishedLog(archive);
    const size = await log.size(shard);
    if (size === 0) {
      const published = await dataSource.query<object[]>(
        `SELECT FROM kernel.stream_positions WHERE consumer = 'log-publisher' LIMIT 1`,
      );
      return published.length === 0
        ? null
        : {
            missing: `The log of shard ${shard} has no checkpoint yet, and one has to cover ${shard}:${seq}.`,
          };
    }
    const proofs = await log.proofs(shard, [seq]);
    if (proofs === null) {
      return { missing: `The last checkpoint of shard ${shard} covers ${size} events, not ${shard}:${seq}.` };
    }
    const proof = parseLogProof(proofs.proofs[0] ?? '');
    const { checkpoint } = proof;
    if (proof.index !== seq - 1 || checkpoint.shard !== shard || !includes(proof, bytes)) {
      return {
        missing: `The log of shard ${shard} does not have the event ${shard}:${seq} as the event log has it.`,
      };
    }
    const signers = spannedSigners(await registryOfChain({ origin, roots }, dataSource));
    const { kid, reasons } = judgeCheckpoint(checkpoint, { origin, shards, signers }, null);
    if (kid === null || reasons.length > 0) {
      return { missing: `The last checkpoint of shard ${shard} does not verify: ${reasons.join('; ')}.` };
    }
    return { size: checkpoint.size, root: Buffer.from(checkpoint.root).toString('base64'), kid };
  };
}
