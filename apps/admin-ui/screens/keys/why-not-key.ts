import { type Session, whyNot } from '../../session/session';
import { type RegisteredKey, signsFor } from './key-facts';

/** Why a key cannot be replaced by this person; null: it can be. */
export function whyNotRotate(
  session: Session,
  { signer_kid: kid }: RegisteredKey,
  signers: readonly RegisteredKey[],
): string | null {
  if (signsFor(signers, kid).length === 0) return 'It signs nothing now: there is nothing to replace.';
  // Which of the two it takes is a matter of configuration; the page of the step knows.
  const proposes = whyNot(session, 'upgrade.propose');
  return proposes !== null && whyNot(session, 'keys.manage') !== null ? proposes : null;
}

/** Why a key cannot be retired; null: as far as can be seen here, it can be. */
export function whyNotRetire(
  { signer_kid: kid, status }: RegisteredKey,
  signers: readonly RegisteredKey[],
): string | null {
  if (status !== 'active') return `It is ${status}: it has ended.`;
  const now = signsFor(signers, kid);
  return now.length === 0 ? null : `It signs now (${now.join(', ')}): replace it first.`;
}

/** Why a key cannot be cut off; null: it can be. */
export function whyNotCompromise({ status }: RegisteredKey): string | null {
  return status === 'compromised' ? 'It is cut off.' : null;
}
