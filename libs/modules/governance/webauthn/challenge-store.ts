import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database } from '#platform/postgres';

/** Long enough to find a key and touch it. */
export const CHALLENGE_TTL_S = 300;
const CHALLENGE_BYTES = 32;

/** One statement: what expired goes, and a new challenge takes the place of an older one of the same ceremony. */
const ISSUE = `WITH old AS (DELETE FROM kernel.webauthn_challenges WHERE expires_at < clock_timestamp() - interval '1 day')
  INSERT INTO kernel.webauthn_challenges AS c (approver_id, principal, challenge, expires_at)
  VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 second')
  ON CONFLICT (approver_id, principal) DO UPDATE SET challenge = EXCLUDED.challenge, expires_at = EXCLUDED.expires_at
  RETURNING expires_at AS "expiresAt"`;

const TAKE = `DELETE FROM kernel.webauthn_challenges WHERE approver_id = $1 AND principal = $2
  RETURNING challenge, expires_at > clock_timestamp() AS fresh`;

/** Challenges for registrations: of one person, for one caller, used once, for a few minutes. In PostgreSQL, so any replica will do. */
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

  /** Takes the challenge away, whatever becomes of the registration; null when there is none that still counts. */
  async take(approverId: string, principal: string): Promise<string | null> {
    const [row] = await this.database.query<{ challenge: string; fresh: boolean }>(TAKE, [
      approverId,
      principal,
    ]);
    return row?.fresh === true ? row.challenge : null;
  }
}
