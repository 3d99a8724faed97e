import { type Actor } from '#evidence';

/**
 * - `normal`: everyone may do what their role allows
 * - `read-only`: no write; for long outages of the signing backend, or before an intervention
 * - `safe-mode`: no write and no signature; while evidence or keys are in doubt, or the store is rebuilt
 */
export type KernelMode = 'normal' | 'read-only' | 'safe-mode';
export const KERNEL_MODES: readonly KernelMode[] = ['normal', 'read-only', 'safe-mode'];

/** The mode in force. */
export interface ModeState {
  readonly mode: KernelMode;
  /** The store is being filled from the archive: reads do not see everything yet, and only the replay ends the mode. */
  readonly restoring: boolean;
  readonly reason: string;
  readonly actor: Actor;
  /** RFC 3339. */
  readonly since: string;
}

/** A change of the mode. */
export interface ModeChange {
  /** Counts the changes of this kernel, from 1. */
  readonly version: number;
  /** Id of the event that records it. */
  readonly eventId: string;
  readonly from: KernelMode;
  readonly to: KernelMode;
  readonly reason: string;
  readonly actor: Actor;
  /** RFC 3339. */
  readonly changedAt: string;
}
