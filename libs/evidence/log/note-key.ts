import { importKey, sha256, verifyEd25519 } from '#evidence-crypto';
import { base64Decode, base64Encode } from '../json/base64';
import { hexEncode } from '../json/hex';
import { EvidenceError } from '../evidence.error';
import { sameBytes } from '../json/same-bytes';
import { printable } from '../json/printable-text';
import { checkRawPublicKey } from '../keys/public-key';
import { cosignatureInput, parseTimestampedSignature } from './cosignature';
import { isKeyName, type SignedNote } from './signed-note';

/** What a key signs: notes as they are, as logs do, or the cosignatures of witnesses (c2sp.org/tlog-cosignature). */
export type NoteKeyType = 'ed25519' | 'cosignature/v1';

/** Public key under a name, as `vkey` texts give it (c2sp.org/signed-note, "Verifier keys"). */
export interface NoteKey {
  name: string;
  type: NoteKeyType;
  /** The 32 bytes of an Ed25519 key. */
  raw: Uint8Array;
}

/** Result of looking for a key's signature: without one, with a wrong one, or signed; a cosignature has a time. */
export type NoteVerdict =
  | { state: 'absent' | 'wrong' }
  | { state: 'signed'; /** POSIX seconds; null for a log's own signature. */ time: number | null };

/** The byte that stands for a signature type (c2sp.org/signed-note, "Signature types"). */
const TYPE_BYTE: Record<NoteKeyType, number> = { ed25519: 0x01, 'cosignature/v1': 0x04 };
const RAW_KEY_BYTES = 32;
const VKEY = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/;
/** Name, hash and key; names that are used are URLs. */
const MAX_VKEY = 1_024;
const encoder = new TextEncoder();

/** The 4 bytes that name a key in a note: of SHA-256 over name, line feed, type and key. */
export function noteKeyHash(
  name: string,
  raw: Uint8Array,
  type: NoteKeyType = 'ed25519',
): Uint8Array<ArrayBuffer> {
  const prefix = encoder.encode(`${name}\n`);
  const input = new Uint8Array(prefix.length + 1 + raw.length);
  input.set(prefix);
  input[prefix.length] = TYPE_BYTE[type];
  input.set(raw, prefix.length + 1);
  return Uint8Array.from(sha256(input).subarray(0, 4));
}

/**
 * Reads a key from its text, `<name>+<hex key hash>+<base64 of type and key>`.
 * @throws EvidenceError `invalid_note_key`, also for other kinds of signature; `weak_public_key`
 */
export function parseNoteKey(vkey: string): NoteKey {
  const refuse = (message: string) =>
    new EvidenceError(
      'invalid_note_key',
      `"${printable(vkey.slice(0, 100))}" is no verifier key: ${message}.`,
    );
  const [, name, hash, base64] = vkey.length > MAX_VKEY ? [] : (VKEY.exec(vkey) ?? []);
  const bytes = base64 === undefined ? null : base64Decode(base64);
  if (name === undefined || !isKeyName(name) || bytes === null) {
    throw refuse('it must be <name>+<8 hexadecimal digits>+<base64>');
  }
  const type = (Object.keys(TYPE_BYTE) as NoteKeyType[]).find((one) => TYPE_BYTE[one] === bytes[0]);
  if (type === undefined) {
    throw refuse('its kind of signature is neither Ed25519 (0x01) nor a cosignature by Ed25519 (0x04)');
  }
  const raw = bytes.slice(1);
  if (raw.length !== RAW_KEY_BYTES) throw refuse(`its key has ${raw.length} bytes, not ${RAW_KEY_BYTES}`);
  if (hexEncode(noteKeyHash(name, raw, type)) !== hash)
    throw refuse('its hash is not that of its name and key');
  checkRawPublicKey(raw);
  return { name, type, raw };
}

/** The text of a key. @throws EvidenceError `invalid_note_key` for a name that cannot stand in a note */
export function noteKeyText({ name, type, raw }: NoteKey): string {
  if (!isKeyName(name)) {
    throw new EvidenceError(
      'invalid_note_key',
      `"${printable(name)}" cannot name a key: it must not be empty, nor have spaces or "+".`,
    );
  }
  const bytes = new Uint8Array(1 + raw.length);
  bytes[0] = TYPE_BYTE[type];
  bytes.set(raw, 1);
  return `${name}+${hexEncode(noteKeyHash(name, raw, type))}+${base64Encode(bytes)}`;
}

/** Whether two texts of keys are of one key pair, whatever its names and types are. */
export function isSameKeyPair(one: NoteKey, other: NoteKey): boolean {
  return sameBytes(one.raw, other.raw);
}

/**
 * Whether a key has signed a note. Lines of other keys are ignored, also those of the same name or hash; if one of
 * several lines of this key is wrong, all are (c2sp.org/signed-note: the whole note is to be rejected).
 */
export function signatureBy(key: NoteKey, note: SignedNote): NoteVerdict {
  const hash = noteKeyHash(key.name, key.raw, key.type);
  const lines = note.signatures.filter(({ name, keyHash }) => name === key.name && sameBytes(keyHash, hash));
  if (lines.length === 0) return { state: 'absent' };
  const publicKey = importKey(key.raw);
  // The latest of several cosignatures says the most.
  let time: number | null = null;
  for (const { signature } of lines) {
    const read = key.type === 'ed25519' ? { time: null, signature } : parseTimestampedSignature(signature);
    if (read === null) return { state: 'wrong' };
    const input = read.time === null ? encoder.encode(note.text) : cosignatureInput(read.time, note.text);
    if (!verifyEd25519(publicKey, input, read.signature)) return { state: 'wrong' };
    if (read.time !== null) time = Math.max(time ?? 0, read.time);
  }
  return { state: 'signed', time };
}
