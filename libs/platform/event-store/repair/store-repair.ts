import { createHash } from 'node:crypto';
import { type QueryRunner } from 'typeorm';
import { genesisHash, GOVERNANCE_SHARD } from '#evidence';
import { newEventId } from '../append/event-id';
import { type EventVerifier } from '../integrity/checked-reads';
import { EventStoreError } from '../event-store.error';
import { storedEvent } from '../read/event-row';
import { openEventStoreDataSource } from '../schema/data-source';

/** Rows that one repair removes; a thief who wrote more leaves more to do, a position at a time from behind. */
const MOST_ROWS = 10_000;
/** Rows that the record in the chain lists; the file's digest stands for all of them. */
const LISTED = 100;

export interface StoreRepairOptions {
  /** URL of the database, as the schema's owner: no other role can remove a row. */
  readonly ownerUrl: string;
  readonly origin: string;
  readonly shard: number;
  /** The first row to remove; everything after it goes too. */
  readonly fromSeq: number;
  readonly reason: string;
  /** Who does it, as they say. */
  readonly statedBy: string;
  /** Says which rows are genuine: those are never removed. */
  readonly verifier: EventVerifier;
  /** Keeps what is about to be removed, durably; nothing is removed when it fails. */
  readonly keep: (lines: string) => Promise<void>;
}

export interface StoreRepairReport {
  readonly shard: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  /** The head after it. */
  readonly head: { readonly seq: number; readonly hash: string };
  /** Id of the `store.repaired` event that the kernel will record. */
  readonly eventId: string;
}

interface Row {
  seq: string;
  id: string;
  type: string;
  stream: string;
  signer_kid: string;
  hash: Buffer;
  ts: Date;
  canonical: Buffer;
}

/**
 * Removes rows at the end of a shard that are no events of this kernel: someone wrote them with the rights of the kernel's
 * role, and the kernel refuses to build on them. In one transaction: the rows, the head, the fences, the relay's cursor, and
 * the statement from which the kernel makes its signed record.
 *
 * @throws EventStoreError `invalid_request` when the kernel is not in safe-mode, a row to remove is a genuine event, or the one
 * before them is not
 */
export async function repairStore(options: StoreRepairOptions): Promise<StoreRepairReport> {
  const dataSource = await openEventStoreDataSource({
    url: options.ownerUrl,
    poolSize: 2,
    applicationName: 'kernel-repair',
    statementTimeoutMs: 0,
  });
  try {
    const look = dataSource.createQueryRunner();
    let ending: Ending;
    try {
      ending = await endingOf(look, options);
    } finally {
      await look.release();
    }
    // Verifying and keeping may take long, and is done before anything is locked.
    await assertForged(ending, options);
    const lines = ending.rows.map((row) => lineOf(options.shard, row)).join('');
    await options.keep(lines);
    return await dataSource.transaction(({ queryRunner }) => {
      if (queryRunner === undefined) throw new TypeError('The transaction has no session.');
      return repair(queryRunner, options, ending, lines);
    });
  } finally {
    await dataSource.destroy();
  }
}

/** The end of a shard, from the first row to remove on, and the row before that. */
interface Ending {
  readonly before: Row | undefined;
  readonly rows: readonly Row[];
}

async function endingOf(runner: QueryRunner, { shard, fromSeq }: StoreRepairOptions): Promise<Ending> {
  assertSafeMode(await modeOf(runner, ''));
  const [head] = await query<{ seq: string }>(runner, 'SELECT seq FROM kernel.shard_head WHERE shard = $1', [
    shard,
  ]);
  if (head === undefined) throw refuse(`There is no shard ${shard}.`);
  const rows = await query<Row>(
    runner,
    `SELECT seq, id, type, stream, signer_kid, hash, ts, canonical FROM kernel.events
     WHERE shard = $1 AND seq >= $2 ORDER BY seq LIMIT ${MOST_ROWS + 2}`,
    [shard, Math.max(1, fromSeq - 1)],
  );
  const before = fromSeq > 1 ? rows.shift() : undefined;
  if (rows.length === 0 || (fromSeq > 1 && Number(before?.seq) !== fromSeq - 1)) {
    throw refuse(`Shard ${shard} ends at ${head.seq}; there is nothing at ${shard}:${fromSeq}.`);
  }
  if (rows.length > MOST_ROWS)
    throw refuse(`More than ${MOST_ROWS} rows follow ${shard}:${fromSeq}; begin later.`);
  return { before, rows };
}

async function assertForged({ before, rows }: Ending, options: StoreRepairOptions): Promise<void> {
  const { shard } = options;
  if (before !== undefined && !(await isGenuine(options, before))) {
    throw refuse(`${shard}:${before.seq} is no event of this kernel either; begin there or before it.`);
  }
  for (const row of rows) {
    if (!(await isGenuine(options, row))) continue;
    throw refuse(`${shard}:${row.seq} is an event of this kernel (${row.id}); events are never removed.`);
  }
}

async function repair(
  runner: QueryRunner,
  options: StoreRepairOptions,
  { before, rows }: Ending,
  lines: string,
): Promise<StoreRepairReport> {
  const { origin, shard, fromSeq, reason, statedBy } = options;
  assertSafeMode(await modeOf(runner, 'FOR UPDATE'));
  // All of them, since the fence of each is put back, and in the order in which everyone locks them.
  await runner.query('SELECT FROM kernel.shard_head ORDER BY shard FOR UPDATE');
  await assertUnchanged(runner, shard, fromSeq, rows);
  const end =
    before === undefined
      ? { seq: 0, hash: Buffer.from(genesisHash(origin, shard), 'hex'), ts: null }
      : { seq: Number(before.seq), hash: before.hash, ts: before.ts };
  await remove(runner, { shard, fromSeq, end, ids: rows.map(({ id }) => id) });
  const eventId = newEventId();
  const toSeq = Number(rows.at(-1)?.seq);
  const removed = {
    count: rows.length,
    sha256: createHash('sha256').update(lines).digest('hex'),
    rows: rows
      .slice(0, LISTED)
      .map(({ seq, canonical }) => ({ seq: Number(seq), sha256: sha256(canonical) })),
  };
  await runner.query(
    `INSERT INTO kernel.repairs (event_id, shard, from_seq, to_seq, removed, reason, actor, repaired_at)
     VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, clock_timestamp())`,
    [eventId, shard, fromSeq, toSeq, JSON.stringify(removed), reason, statedBy],
  );
  await runner.query(`SELECT pg_notify('kernel_mode', 'safe-mode')`);
  return { shard, fromSeq, toSeq, head: { seq: end.seq, hash: end.hash.toString('hex') }, eventId };
}

/** What was looked at is still all that is there, byte for byte: only that is known to be forged. */
async function assertUnchanged(
  runner: QueryRunner,
  shard: number,
  fromSeq: number,
  rows: readonly Row[],
): Promise<void> {
  const [now] = await query<{ count: string; sha256: string | null }>(
    runner,
    `SELECT count(*), encode(sha256(string_agg(sha256(canonical), ''::bytea ORDER BY seq)), 'hex') AS sha256
     FROM kernel.events WHERE shard = $1 AND seq >= $2`,
    [shard, fromSeq],
  );
  const seen = createHash('sha256');
  for (const { canonical } of rows) seen.update(createHash('sha256').update(canonical).digest());
  if (Number(now?.count) === rows.length && now?.sha256 === seen.digest('hex')) return;
  throw refuse(`The end of shard ${shard} has changed meanwhile; run this again.`);
}

interface Mode {
  mode: string;
  restoring: boolean;
}

async function modeOf(runner: QueryRunner, lock: 'FOR UPDATE' | ''): Promise<Mode | undefined> {
  return (await query<Mode>(runner, `SELECT mode, restoring FROM kernel.mode ${lock}`))[0];
}

function assertSafeMode(mode: Mode | undefined): void {
  if (mode?.restoring === true) throw refuse('The store is being restored; let that end first.');
  if (mode?.mode === 'safe-mode') return;
  throw refuse('The kernel is not in safe-mode: ./kernel mode safe-mode --reason ..., then run this again.');
}

async function isGenuine({ verifier, shard }: StoreRepairOptions, row: Row): Promise<boolean> {
  const stored = storedEvent(row);
  if ((await verifier.verify([stored])) !== null) return false;
  return stored.event.shard === shard && stored.event.seq === Number(row.seq);
}

interface Removal {
  shard: number;
  fromSeq: number;
  /** The head after it. */
  end: { seq: number; hash: Buffer; ts: Date | null };
  /** Ids of the rows. */
  ids: string[];
}

/** The guards refuse this to every role: only the owner can switch them off, and here they are off inside one transaction. */
async function remove(runner: QueryRunner, { shard, fromSeq, end, ids }: Removal): Promise<void> {
  const guards = [
    ['events', 'events_refuse_change', 'ENABLE ALWAYS'],
    ['event_keys', 'event_keys_refuse_change', 'ENABLE ALWAYS'],
    ['shard_head', 'shard_head_refuse_rewind', 'ENABLE ALWAYS'],
    ['shard_head', 'shard_head_names_an_event', 'ENABLE ALWAYS'],
    ['relay_cursors', 'relay_cursors_refuse_rewind', 'ENABLE'],
  ] as const;
  for (const [table, guard] of guards)
    await runner.query(`ALTER TABLE kernel.${table} DISABLE TRIGGER ${guard}`);
  await runner.query('DELETE FROM kernel.events WHERE shard = $1 AND seq >= $2', [shard, fromSeq]);
  // By id, and only those of this place: another event may have an id that a removed row repeats.
  await runner.query(
    'DELETE FROM kernel.event_keys WHERE id = ANY ($1::uuid[]) AND shard = $2 AND seq >= $3',
    [ids, shard, fromSeq],
  );
  await runner.query('UPDATE kernel.shard_head SET seq = $2, hash = $3, ts = $4 WHERE shard = $1', [
    shard,
    end.seq,
    end.hash,
    end.ts,
  ]);
  // Rows that are gone may have raised it, and then no change of the keys could until as many events have come.
  await runner.query(
    `UPDATE kernel.shard_head SET fence = LEAST(fence, coalesce(
       (SELECT max(e.seq) FROM kernel.events e WHERE e.shard = $1 AND e.stream LIKE 'signer/%'), 0))`,
    [GOVERNANCE_SHARD],
  );
  await runner.query(
    `UPDATE kernel.relay_cursors SET seq = $2, hash = $3, event_ts = $4, updated_at = clock_timestamp()
     WHERE shard = $1 AND seq > $2`,
    [shard, end.seq, end.hash, end.ts],
  );
  for (const [table, guard, enable] of guards)
    await runner.query(`ALTER TABLE kernel.${table} ${enable} TRIGGER ${guard}`);
}

/** A row as the file keeps it. */
function lineOf(shard: number, { seq, id, type, stream, signer_kid, hash, canonical }: Row): string {
  const row = {
    shard,
    seq: Number(seq),
    id,
    type,
    stream,
    signerKid: signer_kid,
    hash: hash.toString('hex'),
  };
  return `${JSON.stringify({ ...row, canonical: canonical.toString('base64') })}\n`;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function query<T>(runner: QueryRunner, sql: string, parameters: unknown[] = []): Promise<T[]> {
  return (await runner.query(sql, parameters)) as T[];
}

function refuse(message: string): EventStoreError {
  return new EventStoreError('invalid_request', message);
}
