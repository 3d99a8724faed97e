import { type Archive } from '#platform/archive';
import { EventLog, type StoredEvent } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type SignerEntry } from '#evidence';
import { PublishedLog } from '#platform/log';
import { archivedCopies } from '../partitions/archived-copies';
import { publishedCheckpoints } from '../partitions/published-checkpoints';

export interface ComparedHead {
  readonly shard: number;
  readonly seq: number;
  readonly hash: string;
  /** Last event of the shard that was found in the archive with the same bytes; 0: none. */
  readonly archived: number;
  /** Last event that a published checkpoint proves to be the same; 0: nothing is published. */
  readonly logged: number;
}

export interface HeadComparison {
  readonly heads: readonly ComparedHead[];
  /** What does not agree; empty when everything does. */
  readonly problems: readonly string[];
}

export interface ComparedStore {
  readonly dataSource: DataSource;
  readonly origin: string;
  readonly shards: number;
  readonly roots: readonly SignerEntry[] | null;
  readonly archive: Archive;
}

/**
 * Compares the end of every shard with the archive and with the published log, byte for byte and by proof. Events that were
 * committed and not archived when the backup was made are no fault: then the last archived one is compared.
 */
export async function compareHeads(store: ComparedStore): Promise<HeadComparison> {
  const { dataSource, archive } = store;
  const heads: ComparedHead[] = [];
  const problems: string[] = [];
  const inArchive = archivedCopies(archive);
  const inLog = publishedCheckpoints(archive, store);
  const log = new PublishedLog(archive);
  const events = new EventLog({ dataSource, shards: store.shards });
  const rows = await dataSource.query<
    { shard: number; seq: string; hash: string; archived: string | null }[]
  >(
    `SELECT h.shard, h.seq, encode(h.hash, 'hex') AS hash, p.seq AS archived
     FROM kernel.shard_head h LEFT JOIN kernel.stream_positions p ON p.shard = h.shard AND p.consumer = 'archiver' ORDER BY h.shard`,
  );
  for (const row of rows) {
    const { shard, hash } = row;
    const seq = Number(row.seq);
    const event = async (at: number): Promise<StoredEvent | null> =>
      (await events.read(shard, { afterSeq: at - 1, limit: 1 }))[0] ?? null;
    let archived = 0;
    for (const at of new Set([seq, Math.min(seq, Number(row.archived ?? 0))])) {
      const found = at === 0 ? null : await event(at);
      if (found === null) continue;
      const problem = await inArchive([found]);
      if (problem === null) {
        archived = at;
        break;
      }
      // A head that is not archived yet is compared at the archiver's position.
      if (at !== seq || !problem.startsWith('The archive does not have')) problems.push(problem);
    }
    const size = Math.min(seq, await log.size(shard));
    if (size > 0) {
      const found = await event(size);
      const verdict =
        found === null ? { missing: `There is no event ${shard}:${size}.` } : await inLog(found);
      if (verdict !== null && 'missing' in verdict) problems.push(verdict.missing);
    }
    heads.push({ shard, seq, hash, archived, logged: size });
  }
  await events.close();
  return { heads, problems };
}
