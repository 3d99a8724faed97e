import { Injectable } from '@nestjs/common';
import { type Actor, canonicalize, type JsonObject } from '#evidence';
import { KERNEL_ACTOR, newEventId, RowKey } from '#platform/event-store';
import { Database } from '#platform/postgres';
import { type KernelMode, type ModeChange, type ModeState } from './domain/kernel-mode';
import { type ChainMode, modeInForce } from './domain/mode-in-force';
import { ModeError } from './domain/mode.error';

/** The copy, the changes from the newest on, and how much the schema's owner has stated. */
const READ = {
  name: 'mode_read',
  text: `SELECT m.mode, m.restoring, m.reason, m.actor, m.since, m.version AS "copyVersion",
      (SELECT coalesce(json_agg(c), '[]') FROM (
         SELECT version, event_id, from_mode, to_mode, reason, actor,
           (extract(epoch FROM changed_at) * 1000)::bigint AS changed_ms, encode(mac, 'hex') AS mac
         FROM kernel.mode_changes ORDER BY version DESC, event_id LIMIT $1) c) AS changes,
      (SELECT count(*) || ' ' || count(end_id) FROM kernel.restores) || ' ' || (SELECT count(*) FROM kernel.repairs)
        || ' ' || (SELECT count(*) FROM kernel.detachments) AS "ownerSaid"
    FROM kernel.mode m`,
};

/** The copy's row orders simultaneous changes: the second finds another version than it read. */
const CHANGE = {
  name: 'mode_change',
  text: `WITH changed AS (
      UPDATE kernel.mode SET mode = $3, reason = $4, actor = $5::jsonb, since = $6, version = $1
      WHERE NOT restoring AND version = $9
      RETURNING true),
    noted AS (
      INSERT INTO kernel.mode_changes (version, event_id, from_mode, to_mode, reason, actor, changed_at, mac)
      SELECT $1, $7::uuid, $2, $3, $4, $5::jsonb, $6, $8 FROM changed
      RETURNING event_id)
    SELECT (SELECT pg_notify('kernel_mode', $3) FROM noted)::text AS told FROM noted`,
};

const AFTER = {
  name: 'mode_changes_after',
  text: `SELECT version, event_id, from_mode, to_mode, reason, actor,
      (extract(epoch FROM changed_at) * 1000)::bigint AS changed_ms, encode(mac, 'hex') AS mac
    FROM kernel.mode_changes WHERE (version, event_id) > ($1, $2::uuid) ORDER BY version, event_id LIMIT $3`,
};

const STATEMENTS_OF_OWNER = {
  name: 'mode_owner_statements',
  text: `SELECT
      (SELECT coalesce(json_agg(r ORDER BY r.n), '[]') FROM (
         SELECT n, begin_id, reason, (extract(epoch FROM began_at) * 1000)::bigint AS began_ms, end_id, end_reason,
           (extract(epoch FROM ended_at) * 1000)::bigint AS ended_ms, after_change
         FROM kernel.restores ORDER BY n DESC LIMIT $1) r) AS restores,
      (SELECT coalesce(json_agg(p ORDER BY p.n), '[]') FROM (
         SELECT n, event_id, shard, from_seq, to_seq, removed, reason, actor,
           (extract(epoch FROM repaired_at) * 1000)::bigint AS repaired_ms
         FROM kernel.repairs ORDER BY n DESC LIMIT $1) p) AS repairs,
      (SELECT coalesce(json_agg(d ORDER BY d.detached_ms), '[]') FROM (
         SELECT event_id, shard, from_seq, to_seq, summary, reason, actor,
           (extract(epoch FROM detached_at) * 1000)::bigint AS detached_ms
         FROM kernel.detachments ORDER BY detached_at DESC LIMIT $1) d) AS detachments`,
};

interface ChangeRow {
  version: number | string;
  event_id: string;
  from_mode: KernelMode;
  to_mode: KernelMode;
  reason: string;
  actor: Actor;
  changed_ms: number | string;
  mac: string;
}

/** A restore of the store, as the schema's owner noted it. */
export interface Restore {
  readonly begin_id: string;
  readonly reason: string;
  readonly began_ms: number;
  readonly end_id: string | null;
  readonly end_reason: string | null;
  readonly ended_ms: number | null;
  /** The latest change of the mode when it ended. */
  readonly after_change: string | null;
}

/** Rows that were removed from the event log because they were no events of this kernel. */
export interface Repair {
  readonly event_id: string;
  readonly shard: number;
  readonly from_seq: number;
  readonly to_seq: number;
  readonly removed: JsonObject;
  readonly reason: string;
  readonly actor: string;
  readonly repaired_ms: number;
}

/** Partitions that were detached from the event log. */
export interface Detachment {
  readonly event_id: string;
  readonly shard: number;
  readonly from_seq: number;
  readonly to_seq: number;
  readonly summary: JsonObject;
  readonly reason: string;
  readonly actor: string;
  readonly detached_ms: number;
}

/** What the schema's owner stated, each kind oldest first. */
export interface OwnerStatements {
  readonly restores: readonly Restore[];
  readonly repairs: readonly Repair[];
  readonly detachments: readonly Detachment[];
}

export interface ModeReading {
  readonly state: ModeState;
  /** The latest authenticated change. */
  readonly latest: ModeChange | null;
  readonly version: number;
  /** The row that other processes read, and the owner's programs. */
  readonly copy: KernelMode;
  readonly copyVersion: string;
  /** Another text whenever there is another statement of the owner. */
  readonly ownerSaid: string;
  readonly problems: readonly string[];
}

const PAGE = 20;
/** Rows searched for an authentic one; more forged ones than this hide what came before. */
const MOST_ROWS = 1_000;
const ATTEMPTS = 5;
const NO_EVENT = '00000000-0000-0000-0000-000000000000';
const INITIAL_REASON = 'The database was set up.';
/** Restores and repairs are a handful in the life of a database, and a detachment is recorded within a second or so. */
const OWNER_STATEMENTS = 50;

/**
 * The mode as all kernel processes share it. The database orders the changes; that each was made by a kernel is seen
 * from its MAC.
 */
@Injectable()
export class ModeStore {
  private known: { version: number; to: KernelMode } | null = null;
  private chain: ChainMode = null;

  constructor(
    readonly database: Database,
    private readonly rowKey: RowKey,
  ) {}

  /** Takes in what the chain records. */
  noteChain(chain: ChainMode): void {
    this.chain = chain;
  }

  async read(): Promise<ModeReading> {
    let page: number = PAGE;
    for (;;) {
      // As they are before the question: its answer may be older than what another one has told meanwhile.
      const { known, chain } = this;
      const [row] = await this.database.query<
        ModeState & { since: Date & string; copyVersion: string; changes: ChangeRow[]; ownerSaid: string }
      >(READ, [page]);
      if (row === undefined) throw new Error('kernel.mode is empty; restore its row.');
      const { copyVersion, changes, restoring, since, ownerSaid } = row;
      const authentic = changes.map((change) => this.authenticated(change));
      const latest = authentic.find((change) => change !== null) ?? null;
      if (latest === null && changes.length === page && page < MOST_ROWS) {
        page = MOST_ROWS;
        continue;
      }
      const forged = authentic.filter((change) => change === null).length;
      const hidden = changes.length === page;
      const facts = { copy: row.mode, latest, forged, hidden, chain, known };
      // While the store is restored the owner's word holds, which only tightens.
      const verdict = restoring
        ? { ...modeInForce({ ...facts, copy: latest?.to ?? 'normal' }), mode: 'safe-mode' as const }
        : modeInForce(facts);
      if (latest !== null && latest.version >= (this.known?.version ?? 0)) this.known = latest;
      const state = restoring
        ? { mode: row.mode, restoring, reason: row.reason, actor: row.actor, since: since.toISOString() }
        : stateOf({ ...verdict, latest, chain, since: since.toISOString() });
      const { version, problems } = verdict;
      return { state, latest, version, copy: row.mode, copyVersion, ownerSaid, problems };
    }
  }

  /**
   * Changes the mode for everyone; nothing changes if it is already in force, and the copy says so too: a mode that follows
   * from something else than a change is in force without anyone having said so.
   * @returns the id of the event that will record it, or null when nothing changed
   * @throws ModeError `being_restored`
   */
  async change(to: KernelMode, reason: string, actor: Actor): Promise<string | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { state, version, copy, copyVersion, problems } = await this.read();
      if (state.restoring) {
        throw new ModeError(
          'being_restored',
          'The store is being rebuilt from the archive; ./kernel replay ends the mode when it has verified the rebuilt head.',
        );
      }
      if (state.mode === to && copy === to && problems.length === 0) return null;
      const change: ModeChange = {
        version: version + 1,
        eventId: newEventId(),
        from: state.mode,
        to,
        reason,
        actor,
        changedAt: new Date().toISOString(),
      };
      const done = await this.database.query(CHANGE, [
        change.version,
        change.from,
        to,
        reason,
        JSON.stringify(actor),
        change.changedAt,
        change.eventId,
        this.rowKey.mac('mode_changes', columnsOf(change)),
        copyVersion,
      ]);
      if (done.length > 0) return change.eventId;
    }
    throw new ModeError(
      'contended',
      'Others keep changing the mode at the same time; look at it and try again.',
    );
  }

  /** Authenticated changes after a version, oldest first. */
  async changesAfter(version: number): Promise<ModeChange[]> {
    const changes: ModeChange[] = [];
    let [after, id]: [number | string, string] = [version + 1, NO_EVENT];
    for (let read = 0; read < MOST_ROWS; read += PAGE) {
      const rows: ChangeRow[] = await this.database.query<ChangeRow>(AFTER, [after, id, PAGE]);
      for (const row of rows) {
        const change = this.authenticated(row);
        if (change !== null) changes.push(change);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) break;
      [after, id] = [last.version, last.event_id];
    }
    return changes;
  }

  /** What the schema's owner stated: only that role can write these tables. Oldest first. */
  async ownerStatements(): Promise<OwnerStatements> {
    const [row] = await this.database.query<OwnerStatements>(STATEMENTS_OF_OWNER, [OWNER_STATEMENTS]);
    return row ?? { restores: [], repairs: [], detachments: [] };
  }

  private authenticated(row: ChangeRow): ModeChange | null {
    const change: ModeChange = {
      version: Number(row.version),
      eventId: row.event_id,
      from: row.from_mode,
      to: row.to_mode,
      reason: row.reason,
      actor: row.actor,
      changedAt: new Date(Number(row.changed_ms)).toISOString(),
    };
    const mac = Buffer.from(row.mac, 'hex');
    return Number.isSafeInteger(change.version) &&
      this.rowKey.verifies('mode_changes', columnsOf(change), mac)
      ? change
      : null;
  }
}

function columnsOf({ version, eventId, from, to, reason, actor, changedAt }: ModeChange) {
  return [version, eventId, from, to, reason, canonicalize({ ...actor }), Date.parse(changedAt)];
}

function stateOf({
  mode,
  latest,
  chain,
  problems,
  since,
}: {
  mode: KernelMode;
  latest: ModeChange | null;
  chain: ChainMode;
  problems: readonly string[];
  since: string;
}): ModeState {
  if (latest !== null && latest.to === mode) {
    const { reason, actor, changedAt } = latest;
    return { mode, restoring: false, reason, actor, since: changedAt };
  }
  return { mode, restoring: false, reason: reasonOf(mode, chain, problems), actor: KERNEL_ACTOR, since };
}

/** The reason of a mode that no change put into force. */
function reasonOf(mode: KernelMode, chain: ChainMode, problems: readonly string[]): string {
  if (mode === 'normal') return INITIAL_REASON;
  if (problems.length > 0) return problems.join(' ');
  return chain === 'untrusted'
    ? 'What the chain records of the mode is no event of this kernel (runbooks/integrity-alarm.md).'
    : 'The chain records a later change of the mode than the database has.';
}
