import { Command } from '@nestjs/cqrs';
import { type ReattestedRange } from '#evidence';
import { type KeyAsking } from '../../key-decisions';

/** From where on a key is in doubt: a position of the chain, or a time (RFC 3339). */
export type Since = { shard: number; seq: number } | { ts: string };

export interface CompromisedKey {
  kid: string;
  /** The key in its place. */
  emergencyKid: string;
  compromisedAt: string;
  /** By shard, the first position in doubt. */
  since: { shard: number; seq: number }[];
  /** What the key signed from there on and the kernel stands by, or for another key than an audit key, where it lies. */
  reattested: ReattestedRange[];
  /** Positions of the events that say so. */
  emergencyPosition: string | null;
  position: string;
  mode: 'normal' | 'read-only' | 'safe-mode';
}

/** Cut off a key that others may have, without losing what it signed before. */
export class CompromiseKey extends Command<CompromisedKey> {
  constructor(
    readonly kid: string,
    readonly since: Since,
    readonly reason: string,
    /** The key that takes its place; null takes the first that the signing backend holds for it. */
    readonly emergencyKid: string | null,
    /** Leave the kernel read-only until somebody says otherwise. */
    readonly stayReadOnly: boolean,
    readonly asking: KeyAsking,
  ) {
    super();
  }
}
