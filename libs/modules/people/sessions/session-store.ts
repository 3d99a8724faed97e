import { type Request } from 'express';
import session, { type SessionData } from 'express-session';
import { newEventId } from '#platform/event-store';
import { endedBy, newTimes, seen, type SessionLimits, SIGN_IN_LIMITS } from '../domain/person-session';
import './session-content';
import { type SessionTable, tokenHashOf } from './session-table';

type Callback = (error?: unknown) => void;
type Stored = SessionData & { version?: number };

/** How often a request moves the idle end: each move is a write. */
export const SEEN_EVERY_MS = 60_000;

/** express-session's store over kernel.sessions; its life cycle (regenerate, destroy, cookies) is express-session's. */
export class SessionStore extends session.Store {
  /** Versions of the sessions of running requests: a write replaces the version that was read, or nothing. */
  private readonly versions = new WeakMap<object, number>();

  constructor(
    private readonly table: SessionTable,
    private readonly limits: SessionLimits,
    private readonly now: () => number = Date.now,
  ) {
    super();
  }

  override get(token: string, callback: (error: unknown, data?: SessionData | null) => void): void {
    this.read(token).then((data) => callback(null, data), callback);
  }

  override set(token: string, data: SessionData, callback: Callback = ignore): void {
    this.write(token, data).then(() => callback(), callback);
  }

  override destroy(token: string, callback: Callback = ignore): void {
    this.table.remove(token).then(() => callback(), callback);
  }

  override touch(token: string, data: SessionData, callback: Callback = ignore): void {
    const { row, person } = data;
    if (row === undefined || person === undefined || this.now() - row.seenAt < SEEN_EVERY_MS)
      return callback();
    // Another request may just have moved it too.
    this.write(token, { ...data, row: { ...row, ...seen(row, this.now(), this.limits) } }, data).then(
      () => callback(),
      () => callback(),
    );
  }

  /** express-session makes a Session of what `get` found: the version goes with it, and not into what is kept. */
  override createSession(request: Request, data: SessionData): session.Session & SessionData {
    const { version = 0, ...kept } = data as Stored;
    const made = super.createSession(request, kept);
    this.versions.set(made, version);
    return made;
  }

  private async read(token: string): Promise<SessionData | null> {
    const row = await this.table.find(token);
    if (row === null || endedBy(row, this.now()) !== null) return null;
    const { id, createdAt, seenAt, idleEndsAt, endsAt, version } = row;
    const data = JSON.parse(row.content) as SessionData;
    return { ...data, row: { id, createdAt, seenAt, idleEndsAt, endsAt }, version } as Stored;
  }

  private async write(token: string, data: SessionData, versioned: object = data): Promise<void> {
    const before = this.versions.get(versioned) ?? 0;
    const { cookie, signIns, person, tokens } = data;
    if (before === 0 && person === undefined) await this.table.assertRoomForSignIn();
    const limits = person === undefined ? SIGN_IN_LIMITS : this.limits;
    // The times are the table's, whatever a page did with the session's cookie.
    const row = (data.row ??= { id: newEventId(), ...newTimes(this.now(), limits) });
    await this.table.write({
      ...row,
      tokenHash: tokenHashOf(token),
      person: person === undefined ? null : { iss: person.iss, sub: person.sub, sid: person.sid },
      version: before + 1,
      content: JSON.stringify({ cookie, signIns, person, tokens }),
    });
    this.versions.set(versioned, before + 1);
  }
}

function ignore(): void {
  // The caller does not want to know.
}
