import { setTimeout as delay } from 'node:timers/promises';
import { type QueryRunner } from 'typeorm';
import { genesisHash } from '#evidence';
import { newEventId } from '../append/event-id';
import { EventStoreError } from '../event-store.error';
import { type StoredEvent } from '../event-store.types';
import { type EventVerifier } from '../integrity/checked-reads';
import { storedEvent } from '../read/event-row';
import { openEventStoreDataSource } from '../schema/data-source';
import { KEPT_STREAMS } from './kept-streams';

/** Events that are compared at a time: some 0.7 MB. */
const PAGE = 500;
/**
 * Appends and reads wait while the log is locked, and while a lock is waited for behind somebody else's. So it is waited for
 * briefly, and often.
 */
const LOCK_WAIT_MS = 300;
const LOCK_ATTEMPTS = 40;
const LOCK_PAUSE_MS = 700;

export interface DetachOptions {
  /** URL of the database, as the schema's owner: no other role can detach anything. */
  readonly ownerUrl: string;
  readonly origin: string;
  readonly shard: number;
  /** Partitions that end before this position are detached. */
  readonly below: number;
  readonly reason: string;
  /** Who does it, as they say. */
  readonly statedBy: string;
  /** Looks at everything and changes nothing. */
  readonly dryRun: boolean;
  readonly verifier: EventVerifier;
  /** What is wrong with the archive's copies of these events, or null. */
  readonly archived: (events: readonly StoredEvent[]) => Promise<string | null>;
  /** The published checkpoint whose tree has this event; null where no log is published; or why there is none that has it. */
  readonly logged: (event: StoredEvent) => Promise<PublishedCheckpoint | null | { readonly missing: string }>;
  /** Called after each page of compared events. */
  readonly onProgress?: (seq: number, last: number) => void;
}

export interface PublishedCheckpoint {
  readonly size: number;
  /** Base64. */
  readonly root: string;
  /** The key that signed it. */
  readonly kid: string;
}

export interface DetachReport {
  readonly shard: number;
  /** The events that the detached partitions had, ends included. */
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly partitions: readonly string[];
  /** Events of streams that stay, of this range and those before it. */
  readonly kept: number;
  readonly checkpoint: PublishedCheckpoint | null;
  /** Id of the `store.detached` event that the kernel will record; null after a dry run. */
  readonly eventId: string | null;
}

interface Plan {
  readonly shard: number;
  readonly fromSeq: number;
  /** The last position. */
  readonly toSeq: number;
  readonly partitions: readonly string[];
  /** The partition of kept events of earlier ones, which a new one replaces. */
  readonly earlierKept: string | null;
  /** Hash of the event before the first one. */
  readonly prevHash: string;
}

/**
 * Takes the oldest partitions of a shard out of the event log: each of their events verifies, the archive and the index have it
 * with the same bytes, a published checkpoint covers it, relay and workers are past it and no legal hold touches it. What the
 * kernel decides by stays, in one partition. The look comes first and may take hours; the change is one transaction, and a
 * run that ends anywhere before its commit has changed nothing.
 *
 * @throws EventStoreError `invalid_request`, with the reason why a partition stays
 */
export async function detachPartitions(options: DetachOptions): Promise<DetachReport> {
  const dataSource = await openEventStoreDataSource({
    url: options.ownerUrl,
    poolSize: 2,
    applicationName: 'kernel-detach',
    statementTimeoutMs: 0,
  });
  try {
    const look = dataSource.createQueryRunner();
    try {
      const plan = await planOf(look, options);
      await assertUnneeded(look, plan);
      const last = await compare(look, plan, options);
      const checkpoint = await options.logged(last);
      if (checkpoint !== null && 'missing' in checkpoint) throw refuse(checkpoint.missing);
      const { shard, fromSeq, toSeq, partitions } = plan;
      const report = { shard, fromSeq, toSeq, partitions, checkpoint };
      if (options.dryRun) return { ...report, kept: await countKept(look, plan), eventId: null };
      const change = { ...options, plan, lastHash: last.event.hash, checkpoint };
      return { ...report, ...(await detach(look, change)) };
    } finally {
      await look.release();
    }
  } finally {
    await dataSource.destroy();
  }
}

async function planOf(runner: QueryRunner, { origin, shard, below }: DetachOptions): Promise<Plan> {
  const [head] = await query<{ seq: string }>(runner, 'SELECT seq FROM kernel.shard_head WHERE shard = $1', [
    shard,
  ]);
  if (head === undefined) throw refuse(`There is no shard ${shard}.`);
  const rows = await query<{ name: string; from_seq: string; to_seq: string }>(
    runner,
    'SELECT name, from_seq, to_seq FROM kernel.partitions WHERE shard = $1 ORDER BY from_seq',
    [shard],
  );
  const [before] = await query<{ to_seq: string; hash: string }>(
    runner,
    `SELECT to_seq, summary ->> 'lastHash' AS hash FROM kernel.detachments WHERE shard = $1 ORDER BY to_seq DESC LIMIT 1`,
    [shard],
  );
  const fromSeq = Number(before?.to_seq ?? 0) + 1;
  const attached = rows.filter(({ from_seq }) => Number(from_seq) >= fromSeq);
  // The head's own partition stays: it is written to, or the next event continues it.
  const leaving = attached.filter(
    ({ to_seq }) => Number(to_seq) <= below && Number(to_seq) <= Number(head.seq),
  );
  const end = leaving.at(-1);
  const [oldest] = attached;
  if (end === undefined && Number(oldest?.to_seq) <= below) {
    throw refuse(`Shard ${shard} ends at ${head.seq}: its oldest partition is the one that the end is in.`);
  }
  if (end === undefined) {
    throw refuse(
      `No partition of shard ${shard} ends before ${below}: the oldest has ${shard}:${oldest?.from_seq} to ${shard}:${Number(oldest?.to_seq) - 1}.`,
    );
  }
  const toSeq = Number(end.to_seq) - 1;
  return {
    shard,
    fromSeq,
    toSeq,
    partitions: leaving.map(({ name }) => name),
    earlierKept: rows.find(({ from_seq }) => Number(from_seq) < fromSeq)?.name ?? null,
    prevHash: before?.hash ?? genesisHash(origin, shard),
  };
}

/** Refuses what anybody may still ask the event log for. */
async function assertUnneeded(runner: QueryRunner, { shard, toSeq, fromSeq }: Plan): Promise<void> {
  const [mode] = await query<{ restoring: boolean }>(runner, 'SELECT restoring FROM kernel.mode');
  if (mode?.restoring !== false) throw refuse('The store is being restored; let that end first.');
  const [relay] = await query<{ seq: string }>(
    runner,
    'SELECT seq FROM kernel.relay_cursors WHERE shard = $1',
    [shard],
  );
  if (Number(relay?.seq ?? 0) < toSeq) {
    throw refuse(
      `The outbox relay has published shard ${shard} up to ${relay?.seq ?? 0} only, not up to ${toSeq}.`,
    );
  }
  const positions = await query<{ consumer: string; seq: string }>(
    runner,
    `SELECT c.consumer, coalesce(p.seq, 0) AS seq
     FROM (SELECT 'archiver' AS consumer UNION SELECT 'indexer' UNION SELECT consumer FROM kernel.stream_positions) c
     LEFT JOIN kernel.stream_positions p ON p.consumer = c.consumer AND p.shard = $1 ORDER BY c.consumer`,
    [shard],
  );
  const behind = positions.find(({ seq }) => Number(seq) < toSeq);
  if (behind) {
    throw refuse(
      `The position of the ${behind.consumer} in shard ${shard} is ${behind.seq}, before ${toSeq}.`,
    );
  }
  const [held] = await query<{ from_seq: string; to_seq: string; reason: string }>(
    runner,
    `SELECT from_seq, to_seq, reason FROM kernel.legal_holds
     WHERE shard = $1 AND in_force AND from_seq <= $3 AND to_seq >= $2 ORDER BY from_seq LIMIT 1`,
    [shard, fromSeq, toSeq],
  );
  if (held) {
    throw refuse(
      `A legal hold is in force on ${shard}:${held.from_seq} to ${shard}:${held.to_seq} (${held.reason}); lift it first.`,
    );
  }
  // Holds that the archiver has not read yet are not in that table.
  const [unread] = await query<{ shard: number; seq: string }>(
    runner,
    `SELECT e.shard, e.seq FROM kernel.events e
     WHERE e.type = ANY ($1) AND e.seq > coalesce(
       (SELECT p.seq FROM kernel.stream_positions p WHERE p.consumer = 'archiver' AND p.shard = e.shard), 0)
     LIMIT 1`,
    [['legal_hold.placed', 'legal_hold.lifted']],
  );
  if (unread) {
    throw refuse(
      `The archiver has not carried out the legal hold of ${unread.shard}:${unread.seq} yet; run this again.`,
    );
  }
}

interface ComparedRow {
  seq: string;
  canonical: Buffer;
  hash: string;
  indexed: boolean;
  keyed: boolean;
}

/** Compares each event with its copies, and returns the last one. */
async function compare(runner: QueryRunner, plan: Plan, options: DetachOptions): Promise<StoredEvent> {
  const { shard, fromSeq, toSeq } = plan;
  let last: StoredEvent | undefined;
  let prevHash = plan.prevHash;
  for (let seq = fromSeq; seq <= toSeq;) {
    const rows = await query<ComparedRow>(
      runner,
      `SELECT e.seq, e.canonical, encode(e.hash, 'hex') AS hash,
              EXISTS (SELECT FROM kernel_index.events i WHERE i.shard = e.shard AND i.seq = e.seq
                AND (i.id, i.type, i.stream, i.stream_version, i.actor_id, i.ts, i.signer_kid, i.hash, i.canonical)
                  = (e.id, e.type, e.stream, e.stream_version, e.actor_id, e.ts, e.signer_kid, e.hash, e.canonical)
                AND i.division IS NOT DISTINCT FROM e.division) AS indexed,
              EXISTS (SELECT FROM kernel.event_keys k WHERE k.id = e.id AND (k.shard, k.seq, k.stream, k.stream_version)
                  = (e.shard, e.seq, e.stream, e.stream_version)) AS keyed
       FROM kernel.events e WHERE e.shard = $1 AND e.seq >= $2 AND e.seq <= $3 ORDER BY e.seq LIMIT ${PAGE}`,
      [shard, seq, toSeq],
    );
    const events = rows.map(storedEvent);
    for (const [at, { event }] of events.entries()) {
      const row = rows[at] as ComparedRow;
      const place = `${shard}:${seq + at}`;
      if (event.shard !== shard || event.seq !== seq + at || Number(row.seq) !== event.seq) {
        throw refuse(`There is no event ${place} in the event log; audit it (./kernel audit run).`);
      }
      if (event.prevHash !== prevHash || event.hash !== row.hash) {
        throw refuse(`The event ${place} does not continue the chain; audit it (./kernel audit run).`);
      }
      if (!row.keyed)
        throw refuse(`The key of the event ${place} leads elsewhere; audit it (./kernel audit run).`);
      if (!row.indexed) {
        throw refuse(
          `The index does not have the event ${place} as the event log has it; rebuild it (./kernel replay).`,
        );
      }
      prevHash = event.hash;
    }
    if (events.length === 0)
      throw refuse(`There is no event ${shard}:${seq} in the event log; audit it (./kernel audit run).`);
    const forged = await options.verifier.verify(events);
    if (forged !== null)
      throw refuse(`From ${shard}:${seq} on is an event that is none of this kernel: ${forged}.`);
    const unarchived = await options.archived(events);
    if (unarchived !== null) throw refuse(unarchived);
    last = events.at(-1);
    seq += events.length;
    options.onProgress?.(seq - 1, toSeq);
  }
  if (last === undefined) throw refuse(`Shard ${shard} has nothing before ${toSeq}.`);
  return last;
}

async function countKept(runner: QueryRunner, { shard, toSeq }: Plan): Promise<number> {
  const [row] = await query<{ count: string }>(
    runner,
    'SELECT count(*) FROM kernel.events WHERE shard = $1 AND seq <= $2 AND stream ~ $3',
    [shard, toSeq, KEPT_STREAMS],
  );
  return Number(row?.count);
}

interface Change extends DetachOptions {
  readonly plan: Plan;
  readonly lastHash: string;
  readonly checkpoint: PublishedCheckpoint | null;
}

async function detach(runner: QueryRunner, change: Change): Promise<{ kept: number; eventId: string }> {
  const { plan, lastHash, checkpoint, reason, statedBy } = change;
  const { shard, fromSeq, toSeq, partitions, earlierKept } = plan;
  await runner.startTransaction();
  try {
    // One run at a time. Partitions may be made meanwhile: a shard must not run out of room because of a detachment.
    await runner.query(`SELECT pg_advisory_xact_lock(hashtextextended('illuvrse-kernel/detach', 0))`);
    const now = await planOf(runner, change);
    if (now.fromSeq !== fromSeq || now.partitions.join() !== partitions.join()) {
      throw refuse(`The partitions of shard ${shard} have changed meanwhile; run this again.`);
    }
    await assertUnneeded(runner, plan);
    const keptName = `events_${shard}_kept_${toSeq}`;
    await runner.query('SELECT kernel.create_partition($1)', [keptName]);
    await runner.query(
      `INSERT INTO kernel.${keptName} SELECT * FROM kernel.events WHERE shard = $1 AND seq <= $2 AND stream ~ $3`,
      [shard, toSeq, KEPT_STREAMS],
    );
    const [copied] = await query<{ count: string }>(runner, `SELECT count(*) FROM kernel.${keptName}`);
    const kept = Number(copied?.count);
    await lockLog(runner);
    for (const name of earlierKept === null ? partitions : [earlierKept, ...partitions]) {
      await runner.query(`ALTER TABLE kernel.events DETACH PARTITION kernel.${name}`);
      await runner.query(`DROP TABLE kernel.${name}`);
    }
    await runner.query('SELECT kernel.attach_partition($1, $2, 1, $3)', [keptName, shard, toSeq + 1]);
    const eventId = newEventId();
    const summary = { partitions, kept, lastHash, checkpoint };
    await runner.query(
      `INSERT INTO kernel.detachments (shard, to_seq, from_seq, event_id, summary, reason, actor, detached_at)
       VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, clock_timestamp())`,
      [shard, toSeq, fromSeq, eventId, JSON.stringify(summary), reason, statedBy],
    );
    // The kernels look at what the owner has stated, and record it.
    await runner.query(`SELECT pg_notify('kernel_mode', m.mode) FROM kernel.mode m`);
    await runner.commitTransaction();
    return { kept, eventId };
  } catch (error) {
    // A session that is gone has rolled back by itself.
    await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  }
}

async function lockLog(runner: QueryRunner): Promise<void> {
  await runner.query(`SET LOCAL lock_timeout = '${LOCK_WAIT_MS}ms'`);
  for (let attempt = 1; ; attempt++) {
    await runner.query('SAVEPOINT unlocked');
    try {
      await runner.query('LOCK TABLE ONLY kernel.events IN ACCESS EXCLUSIVE MODE');
      break;
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03') throw error;
      await runner.query('ROLLBACK TO SAVEPOINT unlocked');
      if (attempt === LOCK_ATTEMPTS) {
        throw refuse(
          'Somebody reads the event log all the time (a dump, an audit): see pg_stat_activity, and run this again when that has ended.',
        );
      }
      await delay(LOCK_PAUSE_MS);
    }
  }
}

async function query<T>(runner: QueryRunner, sql: string, parameters: unknown[] = []): Promise<T[]> {
  return (await runner.query(sql, parameters)) as T[];
}

function refuse(message: string): EventStoreError {
  return new EventStoreError('invalid_request', message);
}
