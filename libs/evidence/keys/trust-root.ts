import { HEX_SHA256 } from '../chain/audit-event';
import { exactObject } from '../json/exact-object';
import { type JsonValue } from '../json/json-value';
import { type TrustedSigner, type SignersFile } from './signers';

/** The approver pool with which a kernel was founded, by its digest. */
export interface FirstPool {
  version: 1;
  /** Hex SHA-256 of JCS of the pool, as its `approver_pool.registered` has it. */
  sha256: string;
}

/** Whose cosignatures a checkpoint needs (c2sp.org/tlog-cosignature). */
export interface LogTrust {
  /** Verifier keys, c2sp.org/signed-note. */
  witnesses: readonly string[];
  /** How many of them. */
  quorum: number;
}

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

/** Reads `{ version: 1, sha256 }` or null; undefined when it is neither. */
export function readFirstPool(value: JsonValue | undefined): FirstPool | null | undefined {
  if (value === null) return null;
  const { version, sha256 } = exactObject(value, ['version', 'sha256']) ?? {};
  if (version !== 1 || typeof sha256 !== 'string' || !HEX_SHA256.test(sha256)) return undefined;
  return { version, sha256 };
}

const VKEY = /^[\x21-\x7e]{1,1024}$/;
const MAX_WITNESSES = 64;

/** Reads `{ witnesses, quorum }`; undefined when it is anything else. The keys are read where they are used. */
export function readLogTrust(value: JsonValue): LogTrust | undefined {
  const { witnesses, quorum } = exactObject(value, ['witnesses', 'quorum']) ?? {};
  if (!Array.isArray(witnesses) || witnesses.length > MAX_WITNESSES) return undefined;
  if (!witnesses.every((key) => typeof key === 'string' && VKEY.test(key))) return undefined;
  if (new Set(witnesses).size !== witnesses.length) return undefined;
  if (typeof quorum !== 'number' || !Number.isSafeInteger(quorum)) return undefined;
  if (quorum < 0 || quorum > witnesses.length) return undefined;
  return { witnesses: witnesses as string[], quorum };
}
