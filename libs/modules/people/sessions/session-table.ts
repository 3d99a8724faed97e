import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { EventStoreError, RowKey, type RowFault } from '#platform/event-store';
import { IntegrityAlarm } from '#platform/kernel-store';
import { Database, PostgresError, type Statement } from '#platform/postgres';
import { PeopleError } from '../domain/people.error';
import { type Person, type SessionTimes } from '../domain/person-session';
import { SessionSeal } from './session-seal';

/** A session as its row says; `content` is what express-session keeps. */
export interface SessionRow extends SessionTimes {
  /** Public name, in lists and events; it opens nothing. */
  readonly id: string;
  readonly tokenHash: Buffer;
  /** Null before anyone has signed in. */
  readonly person: Pick<Person, 'iss' | 'sub' | 'sid'> | null;
  /** Counts the writes of this row, from 1; a write names the version it replaces. */
  readonly version: number;
  /** JSON. */
  readonly content: string;
}

interface Row {
  token_hash: Buffer;
  id: string;
  kind: 'sign-in' | 'person';
  iss: string | null;
  sub: string | null;
  sid: string | null;
  version: string;
  created_ms: string;
  seen_ms: string;
  idle_ends_ms: string;
  ends_ms: string;
  sealed: Buffer;
  mac: Buffer;
}

const COLUMNS =
  'token_hash, id, kind, iss, sub, sid, version, created_ms, seen_ms, idle_ends_ms, ends_ms, sealed, mac';

/**
 * A session's stream has its opening and, once it is recorded, its end: a row with both was put back. The database's own
 * role can neither remove nor move the keys of events (role-rights.ts).
 */
const FIND = {
  name: 'session_find',
  text: `SELECT ${COLUMNS} FROM kernel.sessions s WHERE token_hash = $1 AND NOT EXISTS (
      SELECT FROM kernel.event_keys k WHERE k.stream = 'session/' || s.id AND k.stream_version > 1)`,
};
const INSERT = {
  name: 'session_insert',
  text: `INSERT INTO kernel.sessions (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT DO NOTHING RETURNING id`,
};
/** Only over the version that was read: of two answers to one sign-in, one finds it taken. */
const UPDATE = {
  name: 'session_update',
  text: `UPDATE kernel.sessions SET kind = $3, iss = $4, sub = $5, sid = $6, version = $7, created_ms = $8, seen_ms = $9,
      idle_ends_ms = $10, ends_ms = $11, sealed = $12, mac = $13
    WHERE token_hash = $1 AND id = $2 AND version = $7 - 1 RETURNING id`,
};
const REMOVE = {
  name: 'session_remove',
  text: `DELETE FROM kernel.sessions WHERE token_hash = $1 RETURNING ${COLUMNS}`,
};
const REMOVE_BY_ID = {
  name: 'session_remove_by_id',
  text: `DELETE FROM kernel.sessions WHERE id = $1 AND kind = 'person' AND ($2::text IS NULL OR (iss = $2 AND sub = $3))
    RETURNING ${COLUMNS}`,
};
/** Back-Channel Logout 1.0, section 2.6: by the provider's session where the token names one, else the whole person. */
const REMOVE_BY_PERSON = {
  name: 'session_remove_by_person',
  text: `DELETE FROM kernel.sessions WHERE iss = $1 AND ($2::text IS NULL OR sub = $2) AND ($3::text IS NULL OR sid = $3)
      AND kind = 'person' AND ($2::text IS NOT NULL OR $3::text IS NOT NULL)
    RETURNING ${COLUMNS}`,
};
const LIST = {
  name: 'session_list',
  text: `SELECT ${COLUMNS} FROM kernel.sessions WHERE kind = 'person' AND ($1::text IS NULL OR (iss = $1 AND sub = $2))
      AND id > $3::uuid AND least(idle_ends_ms, ends_ms) > $4
    ORDER BY id LIMIT $5`,
};
const COUNT_PENDING = {
  name: 'session_count_pending',
  text: `SELECT count(*) AS n FROM (SELECT FROM kernel.sessions WHERE kind = 'sign-in' LIMIT $1) s`,
};
const REMOVE_ENDED = {
  name: 'session_remove_ended',
  text: `DELETE FROM kernel.sessions WHERE token_hash IN (
      SELECT token_hash FROM kernel.sessions WHERE least(idle_ends_ms, ends_ms) <= $1
      ORDER BY least(idle_ends_ms, ends_ms) LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING ${COLUMNS}`,
};

const NO_ID = '00000000-0000-0000-0000-000000000000';
/** Begun sign-ins that are kept at a time: each is a row of at most a few KB that anyone can cause. */
const MOST_PENDING = 10_000;

/** How a cookie's value is known here. */
export function tokenHashOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/**
 * Sessions in PostgreSQL; every method throws EventStoreError `store_unavailable` while it is away. A row counts only when
 * its MAC is right: those that this kernel did not write are reported, and are no sessions.
 */
@Injectable()
export class SessionTable {
  private readonly seal: SessionSeal;

  constructor(
    private readonly database: Database,
    private readonly rowKey: RowKey,
    private readonly alarm: IntegrityAlarm,
  ) {
    this.seal = new SessionSeal(rowKey.secretsFor('session content'));
  }

  async find(token: string): Promise<SessionRow | null> {
    const asked = tokenHashOf(token);
    const [row] = await this.query<Row>(FIND, [asked]);
    if (row === undefined) return null;
    const found = this.authentic(row);
    if (found === null || asked.equals(found.tokenHash)) return found;
    // A genuine row of someone else: a database that answers another question than it was asked.
    this.alarm.raise({
      where: 'session',
      message: `The session ${JSON.stringify(row.id)} is another than the one that was asked for.`,
    });
    return null;
  }

  /** @throws PeopleError `too_many_sign_ins` */
  async assertRoomForSignIn(): Promise<void> {
    const [row] = await this.query<{ n: string }>(COUNT_PENDING, [MOST_PENDING]);
    if (Number(row?.n ?? 0) < MOST_PENDING) return;
    throw new PeopleError(
      'too_many_sign_ins',
      'More sign-ins are begun and not finished than this kernel keeps; try again in some minutes.',
    );
  }

  /** Writes a session over the version before it, or as a new one. @throws PeopleError `session_changed` */
  async write(session: SessionRow): Promise<void> {
    const values = this.valuesOf(session);
    const written = await this.query(session.version === 1 ? INSERT : UPDATE, values);
    if (written.length > 0) return;
    throw new PeopleError('session_changed', 'Another request of this session changed it, or it has ended.');
  }

  async remove(token: string): Promise<SessionRow | null> {
    const [row] = await this.query<Row>(REMOVE, [tokenHashOf(token)]);
    return row === undefined ? null : this.authentic(row);
  }

  /** @param of only where it is a session of this person @returns the session that was, or null */
  async removeById(id: string, of: Pick<Person, 'iss' | 'sub'> | null): Promise<SessionRow | null> {
    const [row] = await this.query<Row>(REMOVE_BY_ID, [id, of?.iss ?? null, of?.sub ?? null]);
    return row === undefined ? null : this.authentic(row);
  }

  async removeByPerson(of: { iss: string; sub: string | null; sid: string | null }): Promise<SessionRow[]> {
    return this.allAuthentic(await this.query<Row>(REMOVE_BY_PERSON, [of.iss, of.sub, of.sid]));
  }

  /** Sessions that have not ended, in the order of their ids, which is that of their beginnings. */
  async list(query: {
    of: Pick<Person, 'iss' | 'sub'> | null;
    after: string | null;
    limit: number;
    now: number;
  }): Promise<SessionRow[]> {
    const { of, after, limit, now } = query;
    const values = [of?.iss ?? null, of?.sub ?? null, after ?? NO_ID, now, limit];
    return this.allAuthentic(await this.query<Row>(LIST, values));
  }

  async removeEnded(now: number, limit: number): Promise<{ removed: number; sessions: SessionRow[] }> {
    const rows = await this.query<Row>(REMOVE_ENDED, [now, limit]);
    return { removed: rows.length, sessions: this.allAuthentic(rows) };
  }

  private async query<R extends object>(statement: Statement, values: unknown[]): Promise<R[]> {
    try {
      return await this.database.query<R>(statement, values);
    } catch (cause) {
      if (!(cause instanceof PostgresError)) throw cause;
      throw new EventStoreError(
        'store_unavailable',
        'The sessions of people cannot be read or written now; try again.',
        {},
        { cause },
      );
    }
  }

  private valuesOf(session: SessionRow): unknown[] {
    const { tokenHash, id, person, version, createdAt, seenAt, idleEndsAt, endsAt, content } = session;
    const sealed = this.seal.seal(content, tokenHash);
    const kind = person === null ? 'sign-in' : 'person';
    const { iss = null, sub = null, sid = null } = person ?? {};
    const plain = [
      tokenHash,
      id,
      kind,
      iss,
      sub,
      sid,
      version,
      createdAt,
      seenAt,
      idleEndsAt,
      endsAt,
      sealed,
    ] as const;
    return [...plain, this.rowKey.mac('sessions', plain.map(orNothing))];
  }

  private allAuthentic(rows: readonly Row[]): SessionRow[] {
    return rows.map((row) => this.authentic(row)).filter((session) => session !== null);
  }

  private authentic(row: Row): SessionRow | null {
    const numbers = [row.version, row.created_ms, row.seen_ms, row.idle_ends_ms, row.ends_ms].map(Number);
    const columns = [row.token_hash, row.id, row.kind, row.iss, row.sub, row.sid, ...numbers, row.sealed];
    const isOurs =
      numbers.every(Number.isSafeInteger) &&
      this.rowKey.verifies('sessions', columns.map(orNothing), row.mac);
    const content = isOurs ? this.seal.open(row.sealed, row.token_hash) : null;
    if (content === null) {
      const fault: RowFault = {
        where: 'session',
        message: `The session ${JSON.stringify(row.id)} was not written by this kernel.`,
      };
      this.alarm.raise(fault);
      return null;
    }
    const [version = 0, createdAt = 0, seenAt = 0, idleEndsAt = 0, endsAt = 0] = numbers;
    const { id, token_hash: tokenHash, iss, sub, sid } = row;
    const person = iss === null || sub === null ? null : { iss, sub, sid };
    return { id, tokenHash, person, version, createdAt, seenAt, idleEndsAt, endsAt, content };
  }
}

/** Null as a column of no bytes: another type than any text, so that a missing name is not an empty one. */
function orNothing(column: string | number | Uint8Array | null): string | number | Uint8Array {
  return column ?? new Uint8Array();
}
