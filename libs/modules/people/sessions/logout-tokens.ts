import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database } from '#platform/postgres';

const REMEMBER = {
  name: 'logout_token_remember',
  text: `INSERT INTO kernel.logout_tokens (token_hash, ends_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING ends_ms`,
};
const FORGET = {
  name: 'logout_token_forget',
  text: 'DELETE FROM kernel.logout_tokens WHERE token_hash = $1',
};
const PURGE = {
  name: 'logout_token_purge',
  text: `DELETE FROM kernel.logout_tokens WHERE token_hash IN
    (SELECT token_hash FROM kernel.logout_tokens WHERE ends_ms <= $1 ORDER BY ends_ms LIMIT $2)`,
};

interface TokenName {
  readonly iss: string;
  readonly jti: string;
}

/** Logout tokens that were taken: each ends sessions once (Back-Channel Logout 1.0, section 2.6). */
@Injectable()
export class LogoutTokens {
  constructor(private readonly database: Database) {}

  /** @returns whether the token was not taken before */
  async take(token: TokenName, rememberUntil: number): Promise<boolean> {
    return (await this.database.query(REMEMBER, [hashOf(token), rememberUntil])).length > 0;
  }

  /** After a failure: the provider sends the token again. */
  async giveBack(token: TokenName): Promise<void> {
    await this.database.query(FORGET, [hashOf(token)]);
  }

  async purge(now: number, limit: number): Promise<void> {
    await this.database.query(PURGE, [now, limit]);
  }
}

function hashOf({ iss, jti }: TokenName): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([iss, jti]))
    .digest();
}
