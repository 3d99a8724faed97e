import {
  type JsonObject,
  type KeyRegistryState,
  type ReattestedRange,
  type RegisteredKey,
  samePublicKey,
  type SignerEntry,
} from '#evidence';
import { KeyRegistryError } from './key-registry.error';

/** Commands about a registered key, with the data that the decision needs. */
export type KeyCommand =
  | {
      kind: 'rotate';
      from: string;
      to: SignerEntry;
      /** Signature by the new key over `signerPossessionInput`. */
      counterSignature: string;
    }
  | {
      kind: 'retire';
      kid: string;
      reason: string;
      /** Names of the registered keys that the signing backend holds now. */
      held: ReadonlySet<string>;
    }
  | {
      kind: 'emergency';
      from: string;
      to: SignerEntry;
      counterSignature: string;
      reason: string;
      /** Time from which others may have the key, RFC 3339. */
      compromisedAt: string;
    }
  | {
      kind: 'compromise';
      kid: string;
      reason: string;
      compromisedAt: string;
      /** The first position in doubt, by shard. */
      since: readonly { shard: number; seq: number }[];
      /** Events that the kernel confirms. */
      reattested: readonly ReattestedRange[];
    };

export interface KeyContext {
  /** Milliseconds since 1970. */
  now: number;
  /** Shortest time that a replaced key stays valid: every process must have switched before it ends. */
  overlapMs: number;
}

/** An event that a decision made, and the stream it belongs to. */
export interface KeyEvent {
  stream: string;
  type: `signer.${'rotated' | 'retired' | 'emergency' | 'compromised'}`;
  payload: JsonObject;
}

/**
 * Decides about the registry as it is folded from the chain. Pure.
 * @returns no event when it is already decided
 * @throws KeyRegistryError, EvidenceError `weak_public_key`
 */
export function decideKeys(
  state: KeyRegistryState,
  command: KeyCommand,
  { now, overlapMs }: KeyContext,
): KeyEvent[] {
  switch (command.kind) {
    case 'rotate': {
      const { from, to, counterSignature } = command;
      replaceable(state, from, to);
      const payload = { from, to: { ...to }, counterSignature };
      return [{ stream: signerStream(to.signer_kid), type: 'signer.rotated', payload }];
    }
    case 'retire':
      return retire(state, command, now, overlapMs);
    case 'emergency': {
      const { from, to, counterSignature, reason, compromisedAt } = command;
      const lost = keyOf(state, from);
      if (lost.entry.status === 'compromised') return [];
      replaceable(state, from, to);
      pastOrNow(compromisedAt, now);
      const payload = { from, to: { ...to }, counterSignature, reason, compromisedAt };
      return [{ stream: signerStream(from), type: 'signer.emergency', payload }];
    }
    case 'compromise':
      return compromise(state, command, now);
  }
}

export function signerStream(kid: string): string {
  return `signer/${kid}`;
}

/** @throws KeyRegistryError `signer_not_found` */
export function keyOf(state: KeyRegistryState, kid: string): RegisteredKey {
  const known = state.keys.get(kid);
  if (known) return known;
  throw new KeyRegistryError('signer_not_found', `There is no signer "${kid}".`);
}

/** Refuses `to` when it may not replace `from`. */
function replaceable(state: KeyRegistryState, from: string, to: SignerEntry): void {
  const old = keyOf(state, from).entry;
  if (old.status !== 'active') {
    throw new KeyRegistryError('signer_not_active', `"${from}" is ${old.status} and signs nothing any more.`);
  }
  if (state.keys.has(to.signer_kid)) {
    throw new KeyRegistryError(
      'signer_exists',
      `"${to.signer_kid}" is registered already; a new key needs a new name.`,
    );
  }
  for (const { entry } of state.keys.values()) {
    if (!samePublicKey(entry.public_key_pem, to.public_key_pem)) continue;
    throw new KeyRegistryError(
      'signer_exists',
      `"${to.signer_kid}" is the same key as "${entry.signer_kid}" under another name; make a new key.`,
    );
  }
  const missing = old.purposes.filter((purpose) => !to.purposes.includes(purpose));
  if (to.status !== 'active' || missing.length > 0) {
    throw new KeyRegistryError(
      'wrong_purpose',
      `"${to.signer_kid}" is for ${to.purposes.join(' and ')}; in the place of "${from}" it has to be active and for ${old.purposes.join(' and ')}.`,
    );
  }
}

function retire(
  state: KeyRegistryState,
  { kid, reason, held }: Extract<KeyCommand, { kind: 'retire' }>,
  now: number,
  overlapMs: number,
): KeyEvent[] {
  const { entry } = keyOf(state, kid);
  if (entry.status !== 'active') return [];
  const keys = [...state.keys.values()];
  const at = keys.findIndex(({ entry: one }) => one.signer_kid === kid);
  for (const purpose of entry.purposes) {
    const later = keys
      .slice(at + 1)
      .filter(({ entry: one }) => one.status === 'active' && one.purposes.includes(purpose));
    const successor = later.find(({ entry: one }) => held.has(one.signer_kid));
    if (successor === undefined) {
      const names = later.map(({ entry: one }) => `"${one.signer_kid}"`).join(', ');
      throw new KeyRegistryError(
        'key_in_force',
        later.length === 0
          ? `"${kid}" is the key in force for ${purpose}; rotate to another one first.`
          : `Nothing could sign for ${purpose} without "${kid}": the signing backend does not hold ${names}; give it that key first.`,
      );
    }
    const since = Date.parse(successor.added.ts);
    if (now - since < overlapMs) {
      const seconds = Math.ceil((since + overlapMs - now) / 1_000);
      throw new KeyRegistryError(
        'overlap',
        `"${successor.entry.signer_kid}" came in the place of "${kid}" only now; retire it in ${seconds} s, when every process has changed over.`,
        { retryAfterS: seconds },
      );
    }
  }
  const payload = { signer_kid: kid, retiredAt: new Date(now).toISOString(), reason };
  return [{ stream: signerStream(kid), type: 'signer.retired', payload }];
}

function compromise(
  state: KeyRegistryState,
  { kid, reason, compromisedAt, since, reattested }: Extract<KeyCommand, { kind: 'compromise' }>,
  now: number,
): KeyEvent[] {
  const { entry, doubt } = keyOf(state, kid);
  if (doubt !== null) return [];
  if (entry.status === 'active') {
    // A trusted key must sign this, and there must be one to go on with.
    const successor = [...state.keys.values()].some(
      ({ entry: one }) =>
        one.signer_kid !== kid &&
        one.status === 'active' &&
        entry.purposes.every((purpose) => one.purposes.includes(purpose)),
    );
    if (!successor) {
      throw new KeyRegistryError(
        'key_in_force',
        `"${kid}" is the only active key for ${entry.purposes.join(' and ')}; an emergency key has to come in first.`,
      );
    }
  }
  pastOrNow(compromisedAt, now);
  const payload = {
    signer_kid: kid,
    compromisedAt,
    reason,
    since: since.map((one) => ({ ...one })),
    reattested: reattested.map(({ shard, from, to, count }) => ({
      shard,
      from: { ...from },
      to: { ...to },
      count,
    })),
  };
  return [{ stream: signerStream(kid), type: 'signer.compromised', payload }];
}

function pastOrNow(at: string, now: number): void {
  if (Date.parse(at) <= now) return;
  throw new KeyRegistryError('invalid_since', `A key cannot have been lost at ${at}, which is yet to come.`);
}
