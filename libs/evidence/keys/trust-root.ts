import { type SignersFile, type TrustedSigner } from './signers';
import { type FirstPool, type LogTrust } from './trust-members';

/**
 * What a verifier was given by a way that it trusts (docs/spec/signers.md, section 1). A member that is absent is not
 * known: what rests on it cannot be checked.
 */
export interface TrustRoot {
  readonly origin: string;
  readonly signers: readonly TrustedSigner[];
  /** How many shards the kernel has, fixed at its founding. */
  readonly shards?: number;
  /** Null: the kernel was founded without approvers. */
  readonly firstPool?: FirstPool | null;
  /** Absent: no cosignatures are asked for. */
  readonly log?: LogTrust;
}

/** The trust root that a file makes, for the kernel of that name. */
export function trustRootOf({ shards, approverPool, signers, log }: SignersFile, origin: string): TrustRoot {
  return {
    origin,
    signers,
    ...(shards === undefined ? {} : { shards }),
    ...(approverPool === undefined ? {} : { firstPool: approverPool }),
    ...(log === undefined ? {} : { log }),
  };
}
