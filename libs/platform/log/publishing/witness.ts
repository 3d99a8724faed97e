export interface AddCheckpoint {
  /** Size that the witness cosigned last; 0 when it is not known. */
  readonly oldSize: number;
  /** The proof from there (RFC 9162 section 2.1.4); empty for 0. */
  readonly consistency: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpointNote: string;
}

/** The witness's lines for the note, or the size at which it is when that is not `oldSize`. */
export type AddCheckpointAnswer =
  { readonly cosignatures: readonly string[] } | { readonly conflict: number };

/** A witness of the log (c2sp.org/tlog-witness). */
export interface WitnessClient {
  /** Names it in the policy, in metrics and in the log. */
  readonly name: string;
  addCheckpoint(request: AddCheckpoint, signal: AbortSignal): Promise<AddCheckpointAnswer>;
}

/** Witnesses, and which of them together are enough. */
export interface WitnessPolicy {
  readonly witnesses: readonly WitnessClient[];
  isQuorum(names: ReadonlySet<string>): boolean;
}

export const NO_WITNESSES: WitnessPolicy = { witnesses: [], isQuorum: () => true };
