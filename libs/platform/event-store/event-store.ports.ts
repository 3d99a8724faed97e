/** The mode that all processes are in, as this one knows it; whoever writes or signs asks it. */
export abstract class ModeSource {
  abstract readonly current: {
    readonly mode: 'normal' | 'read-only' | 'safe-mode';
    /** The store is being filled from the archive: reads do not see everything yet. */
    readonly restoring: boolean;
    /** RFC 3339. */
    readonly since: string;
  };
  /** Throws what refuses a write when nothing may be written now. */
  abstract assertWritable(): void;
}

/** A position that the store ends at, and a later one on which events were built already. */
export interface Behind {
  readonly shard: number;
  readonly head: number;
  readonly mark: number;
}

/** Told when the database turns out to have been put back to an older state. */
export abstract class BehindListener {
  abstract notice(behind: Behind): void;
}
