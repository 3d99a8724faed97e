import { isKid } from '../chain/audit-event';
import { base64Url } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { isRfc3339 } from '../json/time';
import { isOrigin } from '../chain/origin';
import { type KeySpan, readSpan, spanJson } from './key-span';
import { checkedKeyOfPem } from './public-key';
import { isShardCount, MAX_SHARDS } from './shard-heads';
import { parseStrictJson } from '../json/strict-json.parser';
import { type FirstPool, type LogTrust, readFirstPool, readLogTrust } from './trust-members';

export type SignerPurpose = 'audit' | 'manifest' | 'checkpoint';
export type SignerStatus = 'active' | 'retired' | 'compromised';

/** One entry of signers.json (docs/spec/signers.md). */
export interface SignerEntry {
  signer_kid: string;
  algorithm: 'ed25519';
  public_key_pem: string;
  /** RFC 3339 */
  deployedAt: string;
  description: string;
  purposes: SignerPurpose[];
  status: SignerStatus;
  retiredAt: string | null;
  compromisedAt: string | null;
}

/** An entry of signers.json, which may also say where the key signs. */
export interface TrustedSigner extends SignerEntry {
  span?: KeySpan;
}

/** A file with the deployment guide's members has `signers` alone; our own files always have the others too. */
export interface SignersFile {
  /** The kernel whose keys these are. */
  origin?: string;
  /** How many shards it has. */
  shards?: number;
  /** The approver pool that it was founded with. */
  approverPool?: FirstPool | null;
  signers: TrustedSigner[];
  log?: LogTrust;
}

const PURPOSES: readonly SignerPurpose[] = ['audit', 'manifest', 'checkpoint'];
const STATUSES: readonly SignerStatus[] = ['active', 'retired', 'compromised'];
/** An entry in the deployment guide's first format says nothing about purposes: its key signed both. */
const PURPOSES_WHEN_UNSAID: SignerPurpose[] = ['audit', 'manifest'];

/** Reads the text of a signers.json. Refuses malformed entries and weak keys, naming the entry. */
export function parseSignersFile(text: string | Uint8Array): SignersFile {
  let value: JsonValue;
  try {
    value = parseStrictJson(text);
  } catch (cause) {
    const error = cause as EvidenceError;
    throw new EvidenceError('invalid_signers', `signers.json is not acceptable JSON: ${error.message}`, {
      ...(error.pointer === undefined ? {} : { pointer: error.pointer }),
      cause,
    });
  }
  if (!isRecord(value) || !Array.isArray(value['signers'])) {
    throw new EvidenceError('invalid_signers', 'signers.json must be { "signers": [...] }.', { pointer: '' });
  }
  const signers = value['signers'].map((entry, i) => readTrustedSigner(entry, `/signers/${i}`));
  const seen = new Set<string>();
  signers.forEach(({ signer_kid }, i) => {
    if (seen.has(signer_kid)) {
      throw new EvidenceError('invalid_signers', `signer_kid ${signer_kid} occurs twice in signers.json.`, {
        pointer: `/signers/${i}/signer_kid`,
      });
    }
    seen.add(signer_kid);
  });
  refuseSharedKeys(signers);
  const refuse = (member: string, message: string): EvidenceError =>
    new EvidenceError('invalid_signers', `The ${member} in signers.json ${message}.`, {
      pointer: `/${member}`,
    });
  const file: SignersFile = { signers };
  const { origin, shards, approverPool, log } = value;
  if (origin !== undefined) {
    if (!isOrigin(origin)) throw refuse('origin', 'is not an origin');
    file.origin = origin;
  }
  if (shards !== undefined) {
    if (!isShardCount(shards)) throw refuse('shards', `must be an integer from 1 to ${MAX_SHARDS}`);
    file.shards = shards;
  }
  if (approverPool !== undefined) {
    const pool = readFirstPool(approverPool);
    if (pool === undefined) throw refuse('approverPool', 'must be { version: 1, sha256 } or null');
    file.approverPool = pool;
  }
  if (log !== undefined) {
    const trust = readLogTrust(log);
    if (trust === undefined)
      throw refuse('log', 'must be { witnesses, quorum }, a quorum that they can make');
    file.log = trust;
  }
  return file;
}

/** With two names, a key could go on under one after it ended under the other. */
function refuseSharedKeys(signers: readonly TrustedSigner[]): void {
  const owners = new Map<string, string>();
  signers.forEach(({ signer_kid, public_key_pem }, i) => {
    const raw = base64Url(checkedKeyOfPem(public_key_pem));
    const owner = owners.get(raw);
    if (owner !== undefined) {
      throw new EvidenceError(
        'invalid_signers',
        `${signer_kid} is the same public key as ${owner} in signers.json.`,
        { pointer: `/signers/${i}/public_key_pem` },
      );
    }
    owners.set(raw, signer_kid);
  });
}

export function parseSigners(text: string | Uint8Array): TrustedSigner[] {
  return parseSignersFile(text).signers;
}

/**
 * Reads one entry; unknown members are ignored. The deployment guide's five members suffice: without `purposes` the
 * key is for audit and manifest, without `status` it is active.
 * @throws EvidenceError `invalid_signers`, `invalid_public_key` or `weak_public_key`, pointer below `base`.
 */
export function readSigner(value: JsonValue | undefined, base = ''): SignerEntry {
  const refuse = (member: string, message: string, cause?: unknown): EvidenceError =>
    new EvidenceError('invalid_signers', message, { pointer: `${base}${member}`, cause });
  if (!isRecord(value)) throw refuse('', 'A signer is an object.');
  const kid = value['signer_kid'];
  if (!isKid(kid)) throw refuse('/signer_kid', 'signer_kid must be printable ASCII without spaces.');
  if (value['algorithm'] !== 'ed25519') {
    throw refuse('/algorithm', `Signer ${kid}: the algorithm must be ed25519.`);
  }
  const pem = value['public_key_pem'];
  if (typeof pem !== 'string') throw refuse('/public_key_pem', `Signer ${kid}: public_key_pem is missing.`);
  try {
    checkedKeyOfPem(pem);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new EvidenceError(cause.code, `Signer ${kid}: ${cause.message}`, {
      pointer: `${base}/public_key_pem`,
      cause,
    });
  }
  const time = (member: string): string | null => {
    const at = value[member];
    if (at === undefined || at === null) return null;
    if (!isRfc3339(at)) {
      throw refuse(`/${member}`, `Signer ${kid}: ${member} must be an RFC 3339 time or null.`);
    }
    return at;
  };
  const deployedAt = time('deployedAt');
  if (deployedAt === null) throw refuse('/deployedAt', `Signer ${kid}: deployedAt is missing.`);
  const description = value['description'] ?? '';
  if (typeof description !== 'string') {
    throw refuse('/description', `Signer ${kid}: the description must be a string.`);
  }
  const purposes = value['purposes'] ?? PURPOSES_WHEN_UNSAID;
  if (!Array.isArray(purposes) || !purposes.every(isPurpose)) {
    throw refuse('/purposes', `Signer ${kid}: purposes must be of ${PURPOSES.join(', ')}.`);
  }
  const status = value['status'] ?? 'active';
  if (!isStatus(status))
    throw refuse('/status', `Signer ${kid}: status must be one of ${STATUSES.join(', ')}.`);
  return {
    signer_kid: kid,
    algorithm: 'ed25519',
    public_key_pem: pem,
    deployedAt,
    description,
    purposes: [...purposes],
    status,
    retiredAt: time('retiredAt'),
    compromisedAt: time('compromisedAt'),
  };
}

function readTrustedSigner(value: JsonValue, base: string): TrustedSigner {
  const entry = readSigner(value, base);
  const span = (value as JsonObject)['span'];
  if (span === undefined) return entry;
  const read = readSpan(span);
  if (read !== null) return { ...entry, span: read };
  throw new EvidenceError(
    'invalid_signers',
    `Signer ${entry.signer_kid}: span must be { after, until, since }, each a list of { shard, seq } by ascending shard; until and since may be null.`,
    { pointer: `${base}/span` },
  );
}

/**
 * Text of a signers.json: two-space JSON with a final line feed, stable for the same input.
 * @param more the members that a file of the deployment guide lacks
 */
export function signersJson(
  signers: readonly TrustedSigner[],
  origin?: string,
  { shards, approverPool, log }: Omit<SignersFile, 'origin' | 'signers'> = {},
): string {
  const file = {
    ...(origin === undefined ? {} : { origin }),
    ...(shards === undefined ? {} : { shards }),
    ...(approverPool === undefined ? {} : { approverPool }),
    signers: signers.map(({ span, ...entry }) =>
      span === undefined ? entry : { ...entry, span: spanJson(span) },
    ),
    ...(log === undefined ? {} : { log: { witnesses: log.witnesses, quorum: log.quorum } }),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** RFC 7517 key set of RFC 8037 keys; `kid` is the signer_kid. Compromised keys are left out. */
export function jwks(signers: readonly SignerEntry[]): { keys: JsonObject[] } {
  return {
    keys: signers
      .filter(({ status }) => status !== 'compromised')
      .map(({ signer_kid, public_key_pem }) => ({
        kty: 'OKP',
        crv: 'Ed25519',
        x: base64Url(checkedKeyOfPem(public_key_pem)),
        kid: signer_kid,
        use: 'sig',
        alg: 'EdDSA',
      })),
  };
}

function isPurpose(value: unknown): value is SignerPurpose {
  return PURPOSES.includes(value as SignerPurpose);
}

function isStatus(value: unknown): value is SignerStatus {
  return STATUSES.includes(value as SignerStatus);
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
