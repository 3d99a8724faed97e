import { isOrigin } from '../chain/origin';
import { EvidenceError } from '../evidence.error';
import { exactObject } from '../json/exact-object';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { isShardCount, MAX_SHARDS } from './shard-heads';
import { type FirstPool, readFirstPool } from './trust-members';
import { type TrustRoot } from './trust-root';

export const FOUNDING_TYPE = 'kernel.founded';
export const FOUNDING_STREAM = 'kernel/founding';

/** The formats of this version, as a founding names them: the domains of what is signed. */
export const KERNEL_FORMATS: readonly string[] = [
  'illuvrse-kernel/audit-group/v1',
  'illuvrse-kernel/approval/v1',
  'illuvrse-kernel/signer-possession/v1',
  'illuvrse-kernel/archive-day/v1',
  'illuvrse-kernel/audit-report/v1',
  'https://illuvrse.dev/kernel/manifest-signature/v1',
];

/** What the first event of shard 0 says of the kernel (docs/spec/audit-event.md, section 6). */
export interface Founding {
  origin: string;
  /** How many shards there are, for ever. */
  shards: number;
  formats: readonly string[];
  approverPool: FirstPool | null;
}

const MAX_FORMATS = 64;
const FORMAT = /^[\x21-\x7e]{1,255}$/;

/** The payload of `kernel.founded`. @throws EvidenceError `invalid_founding` */
export function foundingPayload({
  origin,
  shards,
  approverPool,
  formats = KERNEL_FORMATS,
}: Omit<Founding, 'formats'> & Partial<Pick<Founding, 'formats'>>): JsonObject {
  const pool = approverPool === null ? null : { version: approverPool.version, sha256: approverPool.sha256 };
  const payload = { origin, shards, formats: [...formats], approverPool: pool };
  readFounding(payload);
  return payload;
}

/** Reads the payload of `kernel.founded`. @throws EvidenceError `invalid_founding` */
export function readFounding(payload: JsonValue): Founding {
  const founding = exactObject(payload, ['origin', 'shards', 'formats', 'approverPool']);
  if (founding === null) {
    throw refuse('', 'it must have origin, shards, formats and approverPool, nothing else');
  }
  const { origin, shards, formats } = founding;
  if (!isOrigin(origin)) throw refuse('/origin', 'origin is no origin');
  if (!isShardCount(shards)) throw refuse('/shards', `shards must be an integer from 1 to ${MAX_SHARDS}`);
  const named =
    Array.isArray(formats) &&
    formats.length <= MAX_FORMATS &&
    formats.every((format) => typeof format === 'string' && FORMAT.test(format));
  if (!named || formats[0] !== KERNEL_FORMATS[0]) {
    throw refuse('/formats', `formats must be a list of names that begins with ${KERNEL_FORMATS[0]}`);
  }
  const approverPool = readFirstPool(founding['approverPool']);
  if (approverPool === undefined) {
    throw refuse('/approverPool', 'approverPool must be { version: 1, sha256 } or null');
  }
  return { origin, shards, formats: formats as string[], approverPool };
}

/** What a founding says differently than the trust root, in words; null when they agree. */
export function whyNotFounded(
  { origin, shards, approverPool }: Founding,
  trust: Pick<TrustRoot, 'origin' | 'shards' | 'firstPool'>,
): string | null {
  if (origin !== trust.origin) return `it founds ${origin}, the trust root is for ${trust.origin}`;
  if (trust.shards !== undefined && shards !== trust.shards) {
    return `it says ${shards} shards, the trust root says ${trust.shards}`;
  }
  const { firstPool } = trust;
  if (firstPool === undefined || firstPool?.sha256 === approverPool?.sha256) return null;
  const named = (pool: FirstPool | null): string => (pool === null ? 'none' : pool.sha256);
  return `it names the first approver pool ${named(approverPool)}, the trust root ${named(firstPool)}`;
}

function refuse(pointer: string, message: string): EvidenceError {
  return new EvidenceError('invalid_founding', `This is no founding of a kernel: ${message}.`, {
    pointer: `/payload${pointer}`,
  });
}
