import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database } from '#platform/postgres';

/** Long enough to find a key and touch it. */
export const CHALLENGE_TTL_S = 300;
const CHALLENGE_BYTES = 32;

/** One statement: deletes expired challenges, and replaces an older one of the same ceremony by the new one. */
const ISSUE = `WITH old AS (DELETE FROM kernel.webauthn_challenges WHERE expires_at < clock_timestamp() - interval '1 day')
  INSERT INTO kernel.webauthn_challenges AS c (approver_id, principal, challenge, expires_at)
  VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 second')
  ON CONFLICT (approver_id, principal) DO UPDATE SET challenge = EXCLUDED.challenge, expires_at = EXCLUDED.expires_at
  RETURNING expires_at AS "expiresAt"`;

const TAKE = `DELETE FROM kernel.webauthn_challenges WHERE approver_id = $1 AND principal = $2
  RETURNING challenge, expires_at > clock_timestamp() AS fresh`;

/** Challenges for registrations: for one person and caller, once, for a few minutes. In PostgreSQL, for any replica. */
@Injectable()
export class ChallengeStore {
  constructor(private readonly database: Database) {}

  async issue(approverId: string, principal: string): Promise<{ challenge: string; expiresAt: string }> {
    const challenge = randomBytes(CHALLENGE_BYTES).toString('base64url');
    const [row] = await this.database.query<{ expiresAt: Date }>(ISSUE, [
      approverId,
      principal,
      challenge,
      CHALLENGE_TTL_S,
    ]);
    if (row === undefined) throw new Error('a challenge was not stored');
    return { challenge, expiresAt: row.expiresAt.toISOString() };
  }

  /** Removes and returns the challenge, whatever the registration's outcome; null when none still counts. */
  async take(approverId: string, principal: string): Promise<string | null> {
    const [row] = await this.database.query<{ challenge: string; fresh: boolean }>(TAKE, [
      approverId,
      principal,
    ]);
    return row?.fresh === true ? row.challenge : null;
  }
}
