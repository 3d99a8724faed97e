import { HEX_SHA256 } from '../chain/audit-event';
import { exactObject } from '../json/exact-object';
import { type JsonValue } from '../json/json-value';

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

/** Reads `{ version: 1, sha256 }` or null; undefined when it is neither. */
export function readFirstPool(value: JsonValue | undefined): FirstPool | null | undefined {
  if (value === null) return null;
  const { version, sha256 } = exactObject(value, ['version', 'sha256']) ?? {};
  if (version !== 1 || typeof sha256 !== 'string' || !HEX_SHA256.test(sha256)) return undefined;
  return { version, sha256 };
}

const VKEY = /^[\x21-\x7e]{1,1024}$/;
const MAX_WITNESSES = 64;

/** Why these witnesses cannot stand in a signers.json; null when they can. */
export function whyNoWitnesses(witnesses: readonly JsonValue[]): string | null {
  if (witnesses.length > MAX_WITNESSES) {
    return `it names at most ${MAX_WITNESSES} witnesses, and these are ${witnesses.length}`;
  }
  if (!witnesses.every((key) => typeof key === 'string' && VKEY.test(key))) {
    return 'the key of a witness in it is at most 1024 letters of printable ASCII';
  }
  return new Set(witnesses).size === witnesses.length ? null : 'it names no witness twice';
}

/** Reads `{ witnesses, quorum }`; undefined when it is anything else. The keys are read where they are used. */
export function readLogTrust(value: JsonValue): LogTrust | undefined {
  const { witnesses, quorum } = exactObject(value, ['witnesses', 'quorum']) ?? {};
  if (!Array.isArray(witnesses) || whyNoWitnesses(witnesses) !== null) return undefined;
  if (typeof quorum !== 'number' || !Number.isSafeInteger(quorum)) return undefined;
  if (quorum < 0 || quorum > witnesses.length) return undefined;
  return { witnesses: witnesses as string[], quorum };
}
