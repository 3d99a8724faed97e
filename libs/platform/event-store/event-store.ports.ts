/** The mode of all processes, as known to this one; every writer and signer asks it. */
export abstract class ModeSource {
  abstract readonly current: {
    readonly mode: 'normal' | 'read-only' | 'safe-mode';
    /** The store is being filled from the archive: reads do not see everything yet. */
    readonly restoring: boolean;
    /** RFC 3339. */
    readonly since: string;
  };
  /** Throws the refusal of a write when nothing may be written now. */
  abstract assertWritable(): void;
}

/** The last position of the store, and a later one on which events were already built. */
export interface Behind {
  readonly shard: number;
  readonly head: number;
  readonly mark: number;
}

/** Called when the database turns out to have been restored to an older state. */
export abstract class BehindListener {
  abstract notice(behind: Behind): void;
}
