import { importKey, sha256, verifyEd25519 } from '#evidence-crypto';
import { base64Decode, base64Encode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { isOrigin } from '../chain/origin';
import { checkedKeyOfPem } from '../keys/public-key';
import { type SignerEntry } from '../keys/signers';

/** Statement of a kernel about a shard's Merkle tree: number of leaves and root (c2sp.org/tlog-checkpoint). */
export interface LogCheckpoint {
  /** The kernel; the log itself is named `<origin>/log/<shard>`. */
  origin: string;
  shard: number;
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
}

/** A checkpoint as a signed note (c2sp.org/signed-note), with the text it was read from. */
export interface SignedCheckpoint extends LogCheckpoint {
  text: string;
  signatures: { name: string; keyHash: Uint8Array; signature: Uint8Array }[];
}

const LOG = /^(.+)\/log\/(0|[1-9][0-9]{0,3})$/;
const SIZE = /^(0|[1-9][0-9]{0,15})$/;
const SIGNATURE = /^\u2014 ([^ +]+) ([A-Za-z0-9+/]+={0,2})$/;
const MAX_SIGNATURES = 16;
/** Signature type of Ed25519 in a key's name. */
const ED25519 = 0x01;
const encoder = new TextEncoder();

export function logName(origin: string, shard: number): string {
  return `${origin}/log/${shard}`;
}

/** The note's text, which is signed. @throws EvidenceError `invalid_checkpoint` */
export function checkpointText({ origin, shard, size, root }: LogCheckpoint): string {
  const text = `${logName(origin, shard)}\n${size}\n${base64Encode(root)}\n`;
  readText(text);
  return text;
}

/** The bytes that a checkpoint key signs. @throws EvidenceError `invalid_checkpoint` */
export function checkpointSigningInput(checkpoint: LogCheckpoint): Uint8Array<ArrayBuffer> {
  return encoder.encode(checkpointText(checkpoint));
}

/** Reads the bytes to sign: exactly a checkpoint, nothing else. @throws EvidenceError `invalid_checkpoint` */
export function parseCheckpointSigningInput(input: Uint8Array): LogCheckpoint {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(input);
  } catch (cause) {
    throw new EvidenceError('invalid_checkpoint', 'A checkpoint is UTF-8.', { cause });
  }
  return readText(text);
}

/** Names a key within a log: the first 4 bytes of SHA-256 over name, line feed, type and key. */
export function noteKeyHash(name: string, rawKey: Uint8Array): Uint8Array {
  const prefix = encoder.encode(`${name}\n`);
  const input = new Uint8Array(prefix.length + 1 + rawKey.length);
  input.set(prefix);
  input[prefix.length] = ED25519;
  input.set(rawKey, prefix.length + 1);
  return sha256(input).slice(0, 4);
}

/**
 * The signed note of a checkpoint (docs/spec/transparency-log.md).
 * @param publicKeyPem of the key that made the signature
 * @throws EvidenceError `invalid_checkpoint`
 */
export function signedCheckpoint(
  checkpoint: LogCheckpoint,
  publicKeyPem: string,
  signature: Uint8Array,
): string {
  const name = logName(checkpoint.origin, checkpoint.shard);
  const signed = new Uint8Array(4 + signature.length);
  signed.set(noteKeyHash(name, checkedKeyOfPem(publicKeyPem)));
  signed.set(signature, 4);
  return `${checkpointText(checkpoint)}\n\u2014 ${name} ${base64Encode(signed)}\n`;
}

/** Reads a signed note; it may contain cosignatures of others. @throws EvidenceError `invalid_checkpoint` */
export function parseSignedCheckpoint(note: string): SignedCheckpoint {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw refuse('it is no signed note');
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) throw refuse(`it has more than ${MAX_SIGNATURES} signatures`);
  const signatures = lines.map((line) => {
    const [, name, base64] = SIGNATURE.exec(line) ?? [];
    const bytes = base64 === undefined ? null : base64Decode(base64);
    if (name === undefined || bytes === null || bytes.length < 5)
      throw refuse('a line of its signatures does not fit');
    return { name, keyHash: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
  return { ...readText(text), text, signatures };
}

/**
 * Whether a checkpoint is signed by a key that speaks for the kernel.
 * @returns the reason why it is not, with a stable word and a colon; null when it is
 */
export function whyCheckpointNotSigned(
  { origin, shard, text, signatures }: SignedCheckpoint,
  keys: readonly SignerEntry[],
): string | null {
  const name = logName(origin, shard);
  const input = encoder.encode(text);
  for (const key of keys) {
    const raw = checkedKeyOfPem(key.public_key_pem);
    const hash = noteKeyHash(name, raw);
    const line = signatures.find(
      (one) => one.name === name && one.keyHash.every((byte, i) => byte === hash[i]),
    );
    if (line === undefined) continue;
    if (!key.purposes.includes('checkpoint'))
      return `key_not_valid: ${key.signer_kid} is not a checkpoint key`;
    // It says nothing about time: the holder of a compromised key could have signed it today.
    if (key.status === 'compromised') return `key_not_valid: ${key.signer_kid} is compromised`;
    if (verifyEd25519(importKey(raw), input, line.signature)) return null;
    return `signature: not made by ${key.signer_kid} over this checkpoint`;
  }
  return 'unknown_key: no known signer has signed the checkpoint';
}

function readText(text: string): LogCheckpoint {
  const [log, size, root, rest, ...more] = text.split('\n');
  const [, origin, shard] = LOG.exec(log ?? '') ?? [];
  if (!isOrigin(origin) || shard === undefined)
    throw refuse('its first line names no log, <origin>/log/<shard>');
  if (size === undefined || !SIZE.test(size) || !Number.isSafeInteger(Number(size))) {
    throw refuse('its second line is no size');
  }
  const hash = root === undefined ? null : base64Decode(root);
  if (hash?.length !== 32) throw refuse('its third line is no SHA-256 in base64');
  if (rest !== '' || more.length > 0) throw refuse('it must have three lines, nothing else');
  return { origin, shard: Number(shard), size: Number(size), root: hash };
}

function refuse(message: string): EvidenceError {
  return new EvidenceError('invalid_checkpoint', `This is no checkpoint of a log: ${message}.`);
}
