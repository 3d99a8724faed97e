import { randomUUID } from 'node:crypto';
import { type DataSource } from '#platform/postgres';
import { type Archive } from '#platform/archive';
import { registryEventsOf, registryOfChain, TrustedKeys } from '#platform/audit-stream';
import { spannedSigners, type TrustedSigner } from '#evidence';
import { ArchiveCheck } from './archive-check';
import { ChainCheck } from './chain-check';
import { type Finding, Findings } from './finding';
import { ManifestCheck } from './manifest-check';
import { type StoredRow, StoredEvents } from './stored-events';

export interface AuditOptions {
  readonly origin: string;
  readonly shards: number;
  /** Data source whose statements have no time limit. */
  readonly dataSource: DataSource;
  readonly archive: Archive;
  /** The trust root; null: the keys of the founding are trusted. */
  readonly roots: readonly TrustedSigner[] | null;
  readonly now?: () => Date;
  readonly signal?: AbortSignal;
  /** Called after each page. */
  readonly onProgress?: (shard: number, seq: number) => void;
}

export interface ShardSummary {
  readonly shard: number;
  readonly head: { readonly seq: number; readonly hash: string };
  /** How far the copies were when the audit began; what came later was not compared. */
  readonly indexed: number;
  readonly archived: number;
  readonly manifests: number;
}

export interface Audit {
  readonly id: string;
  readonly origin: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly verdict: 'clean' | 'findings';
  readonly events: number;
  readonly objects: number;
  readonly shards: readonly ShardSummary[];
  readonly findings: Findings;
}

/** An audit that cannot be carried out now. */
export class AuditRefused extends Error {
  override readonly name = 'AuditRefused';
}

/** Rows at a time: up to 32 MB of events, and as many reads of the archive. */
const PAGE = 500;
/** Findings of one kind at one place; a thousand more say nothing new, and the rest is counted page by page. */
const MOST = 1_000;

interface Positions {
  shard: number;
  seq: number;
  hash: string;
  indexed: number;
  archived: number;
}

/** Runs one whole audit: the chain, its two copies, the manifests of days. Memory does not grow with the chain. */
export async function runAudit(options: AuditOptions): Promise<Audit> {
  const { origin, dataSource, archive, roots, now = () => new Date() } = options;
  const signal = options.signal ?? new AbortController().signal;
  const startedAt = now().toISOString();
  const findings = new Findings();
  const found = (finding: Finding): void => findings.add(finding);
  const stored = new StoredEvents(dataSource);
  const archiveCheck = new ArchiveCheck(archive, stored, found);
  const registryEvents = () => registryEventsOf(dataSource);
  const keys = new TrustedKeys({ origin, roots, registryEvents });
  const manifests = new ManifestCheck({
    origin,
    archive,
    stored,
    signers: spannedSigners(await registryOfChain({ origin, roots }, dataSource)),
    found,
    now,
  });
  await assertNotRestoring(dataSource);
  const shards: ShardSummary[] = [];
  let events = 0;
  for (const position of await positionsOf(dataSource)) {
    const { shard, seq: head, hash, indexed, archived } = position;
    const chain = new ChainCheck({ origin, shard, keys, found });
    const missing: StoredRow[] = [];
    for (let after = 0; after < head;) {
      signal.throwIfAborted();
      const rows = await stored.page(shard, after, head, PAGE);
      const last = rows.at(-1)?.seq ?? head;
      await chain.check(rows);
      events += rows.length;
      for (const row of rows) {
        if (row.seq > indexed || row.indexed === 'equal') continue;
        if (row.indexed === 'different') found(indexFinding(shard, row));
        else if (missing.length < MOST) missing.push(row);
        else found(indexFinding(shard, row));
      }
      for (const extra of await stored.extraInIndex(shard, after, last, MOST))
        found(extraFinding(shard, extra));
      await archiveCheck.checkEvents(
        shard,
        rows.filter(({ seq }) => seq <= archived),
      );
      after = last;
      options.onProgress?.(shard, after);
    }
    const { position: end } = chain;
    if (end.seq !== head || end.hash !== hash) {
      const message = `the store's account of the head says ${shard}:${head} with hash ${hash}, its events end with ${shard}:${end.seq} and hash ${end.hash}`;
      found({ kind: 'head', shard, seq: head, subject: null, message });
    }
    for (const extra of await stored.extraInIndex(shard, head, null, MOST)) found(extraFinding(shard, extra));
    await reportMissing(dataSource, stored, shard, missing, found);
    shards.push({
      shard,
      head: { seq: head, hash },
      indexed,
      archived,
      manifests: await manifests.check(shard, archived, signal),
    });
  }
  for (const { stream, shard, events: count, last } of await stored.brokenStreams(MOST)) {
    const message = `stream ${stream} has ${count} events up to version ${last}`;
    found({ kind: 'stream', shard, seq: null, subject: stream, message });
  }
  const objects = await archiveCheck.checkObjects(signal);
  return {
    id: randomUUID(),
    origin,
    startedAt,
    finishedAt: now().toISOString(),
    verdict: findings.count === 0 ? 'clean' : 'findings',
    events,
    objects,
    shards,
    findings,
  };
}

/** While the store is filled from the archive, everything would be missing there. */
async function assertNotRestoring(dataSource: DataSource): Promise<void> {
  const [mode] = await dataSource.query<{ restoring: boolean }[]>('SELECT restoring FROM kernel.mode');
  if (mode?.restoring === true) {
    throw new AuditRefused('The event store is being restored from the archive; audit it when that is done.');
  }
}

/** Reads the copies first: what they have by then is in the store, which is read after them. */
async function positionsOf(dataSource: DataSource): Promise<Positions[]> {
  const copies = await dataSource.query<{ consumer: string; shard: number; seq: string }[]>(
    `SELECT consumer, shard, seq FROM kernel.stream_positions WHERE consumer IN ('indexer', 'archiver')`,
  );
  const heads = await dataSource.query<{ shard: number; seq: string; hash: string }[]>(
    `SELECT shard, seq, encode(hash, 'hex') AS hash FROM kernel.shard_head ORDER BY shard`,
  );
  const of = (consumer: string, shard: number): number =>
    Number(copies.find((copy) => copy.consumer === consumer && copy.shard === shard)?.seq ?? 0);
  return heads.map(({ shard, seq, hash }) => ({
    shard,
    seq: Number(seq),
    hash,
    indexed: of('indexer', shard),
    archived: of('archiver', shard),
  }));
}

/** The index may have been rebuilt meanwhile: what is missing must be missing now, and behind its position. */
export async function reportMissing(
  dataSource: DataSource,
  stored: StoredEvents,
  shard: number,
  missing: readonly StoredRow[],
  found: (finding: Finding) => void,
): Promise<void> {
  if (missing.length === 0) return;
  const again = await stored.some(
    shard,
    missing.map(({ seq }) => seq),
  );
  const [position] = await dataSource.query<{ seq: string }[]>(
    `SELECT seq FROM kernel.stream_positions WHERE consumer = 'indexer' AND shard = $1`,
    [shard],
  );
  for (const row of again) {
    if (row.indexed === 'missing' && row.seq <= Number(position?.seq ?? 0)) found(indexFinding(shard, row));
  }
}

export function indexFinding(shard: number, { seq, id, indexed }: StoredRow): Finding {
  return indexed === 'missing'
    ? { kind: 'index_missing', shard, seq, subject: id, message: 'the index does not have it' }
    : {
        kind: 'index_different',
        shard,
        seq,
        subject: id,
        message: 'the index has something else in its place',
      };
}

function extraFinding(shard: number, { seq, id }: { seq: number; id: string }): Finding {
  const message = 'the index has it, the event store does not';
  return { kind: 'index_extra', shard, seq, subject: id, message };
}
