import { randomInt } from 'node:crypto';
import { type DataSource } from '#platform/postgres';
import { type Archive } from '#platform/archive';
import { registryEventsOf, TrustedKeys } from '#platform/audit-stream';
import { type SignerEntry } from '#evidence';
import { ArchiveCheck } from './archive-check';
import { ChainCheck } from './chain-check';
import { Findings } from './finding';
import { indexFinding, reportMissing } from './run-audit';
import { type StoredRow, StoredEvents } from './stored-events';

export interface SpotCheckOptions {
  readonly origin: string;
  readonly dataSource: DataSource;
  readonly archive: Archive;
  readonly roots: readonly SignerEntry[] | null;
  /** Events to check in each shard; fewer where it has fewer. */
  readonly events: number;
}

/** Checks some events, chosen so that no one can predict which: each by itself, and its copies. */
export async function spotCheck(options: SpotCheckOptions): Promise<{ events: number; findings: Findings }> {
  const { origin, dataSource, archive, roots } = options;
  const findings = new Findings();
  const found = findings.add.bind(findings);
  const stored = new StoredEvents(dataSource);
  const archiveCheck = new ArchiveCheck(archive, stored, found);
  const keys = new TrustedKeys({ origin, roots, registryEvents: () => registryEventsOf(dataSource) });
  const positions = await dataSource.query<
    Record<'seq' | 'indexed' | 'archived', string>[] & { shard: number }[]
  >(
    `SELECT h.shard, h.seq, coalesce(i.seq, 0) AS indexed, coalesce(a.seq, 0) AS archived
     FROM kernel.shard_head h
     LEFT JOIN kernel.stream_positions i ON i.shard = h.shard AND i.consumer = 'indexer'
     LEFT JOIN kernel.stream_positions a ON a.shard = h.shard AND a.consumer = 'archiver'
     WHERE h.seq > 0 ORDER BY h.shard`,
  );
  let events = 0;
  for (const { shard, seq, indexed, archived } of positions) {
    const head = Number(seq);
    const seqs = new Set(
      Array.from(
        { length: Math.min(options.events, head) },
        () => 1 + randomInt(Math.min(head, MOST_RANDOM)),
      ),
    );
    const rows = await stored.some(shard, [...seqs]);
    const chain = new ChainCheck({ origin, shard, keys, found });
    const missing: StoredRow[] = [];
    for (const row of rows) {
      seqs.delete(row.seq);
      await chain.checkAlone(row);
      if (row.indexed === 'different') found(indexFinding(shard, row));
      else if (row.indexed === 'missing' && row.seq <= Number(indexed)) missing.push(row);
    }
    await reportMissing(dataSource, stored, shard, missing, found);
    for (const gone of seqs) {
      const message = `position ${gone} is missing`;
      found({ kind: 'gap', shard, seq: gone, subject: null, message });
    }
    await archiveCheck.checkEvents(
      shard,
      rows.filter((row) => row.seq <= Number(archived)),
    );
    events += rows.length;
  }
  return { events, findings };
}

/** Largest range that crypto.randomInt takes. */
const MOST_RANDOM = 2 ** 48 - 2;
