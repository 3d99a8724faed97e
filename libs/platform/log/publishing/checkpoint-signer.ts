/** A tree that a signer has put its name to. */
export interface SignedTree {
  readonly shard: number;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

export interface CheckpointRequest extends SignedTree {
  /** The proof that this tree continues the last one that was signed; null for the first of a shard, or the same size. */
  readonly consistency: { readonly from: number; readonly hashes: readonly Uint8Array[] } | null;
}

/** Who signs checkpoints, and remembers per shard the last one (docs/signing-proxy.md, "Checkpoints"). */
export interface CheckpointSigner {
  /** The last tree of each shard that was signed. */
  lastSigned(): Promise<readonly SignedTree[]>;

  /**
   * Signs `<origin>/log/<shard>`, size and root.
   * @returns the signed note, without cosignatures
   * @throws LogError `checkpoint_conflict`, `signing_refused`, `signing_unavailable`
   */
  sign(request: CheckpointRequest): Promise<string>;
}
