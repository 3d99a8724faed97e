import { Injectable } from '@nestjs/common';
import { type Logger } from '#platform/process';
import { PeopleError } from '../domain/people.error';
import { type Person } from '../domain/person-session';
import { mapRoles } from '../domain/role-claims';
import { IdentityProvider } from '../oidc/identity-provider';
import { PeopleOptions } from '../people.options';
import { personActor, SessionRecords } from './session-records';
import { type SessionContent } from './session-content';
import { type SessionRow, SessionTable } from './session-table';

/** How long one process has to ask the provider; then another may. */
const CLAIM_MS = 30_000;
/** Refusals that say that the person may no longer; anything else may pass. */
const FINAL: ReadonlySet<string> = new Set(['code_refused', 'invalid_id_token']);

/**
 * Asks the provider from time to time whether a session's person is still who they were. A provider that says no ends the
 * session; one that is away does not: sessions have their own limits.
 */
@Injectable()
export class SessionRefresh {
  private readonly running = new Map<string, Promise<Person | null>>();

  constructor(
    private readonly options: PeopleOptions,
    private readonly sessions: SessionTable,
    private readonly provider: IdentityProvider,
    private readonly records: SessionRecords,
    private readonly logger: Logger,
  ) {}

  /** The session's person as the provider last said; null when the session has ended. */
  async ifDue(session: SessionRow, person: Person): Promise<Person | null> {
    const { tokens } = JSON.parse(session.content) as SessionContent;
    const { refreshAt = null, refreshToken = null } = tokens ?? {};
    if (tokens === undefined || refreshAt === null || refreshToken === null || Date.now() < refreshAt)
      return person;
    let running = this.running.get(session.id);
    if (running === undefined) {
      running = this.refresh(session, person, { ...tokens, refreshToken }).finally(() =>
        this.running.delete(session.id),
      );
      this.running.set(session.id, running);
    }
    return running;
  }

  private async refresh(
    session: SessionRow,
    person: Person,
    tokens: NonNullable<SessionContent['tokens']> & { refreshToken: string },
  ): Promise<Person | null> {
    // A provider may take a refresh token once only: whoever writes first asks.
    const claimed = changed(session, { tokens: { ...tokens, refreshAt: Date.now() + CLAIM_MS } });
    try {
      await this.sessions.write(claimed);
    } catch (error) {
      if (error instanceof PeopleError && error.code === 'session_changed') return person;
      throw error;
    }
    try {
      const answer = await this.provider.refresh(tokens.refreshToken, person);
      const next = {
        idToken: answer.idToken ?? tokens.idToken,
        refreshToken: answer.refreshToken,
        refreshAt: Date.now() + this.options.refreshMs,
      };
      await this.sessions
        .write(changed(claimed, { person: answer.person, tokens: next }))
        .catch((error: unknown) => {
          // It has ended meanwhile; the next request finds out.
          if (!(error instanceof PeopleError)) throw error;
        });
      return answer.person;
    } catch (error) {
      if (!(error instanceof PeopleError)) throw error;
      if (!FINAL.has(error.code)) {
        this.logger.warn({ reason: error.code }, 'a session was not refreshed');
        return person;
      }
      await this.end(session, person);
      return null;
    }
  }

  private async end(session: SessionRow, person: Person): Promise<void> {
    const ended = await this.sessions.removeById(session.id, null);
    if (ended === null) return;
    const roles = mapRoles(person.roleClaims, this.options.mapping);
    const actor = personActor(person, 'roles' in roles ? roles.roles : []);
    this.records.closed([{ id: session.id, why: 'refused_by_provider', actor }]);
  }
}

function changed(session: SessionRow, changes: SessionContent): SessionRow {
  const content = JSON.parse(session.content) as SessionContent;
  return { ...session, version: session.version + 1, content: JSON.stringify({ ...content, ...changes }) };
}
