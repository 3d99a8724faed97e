import { base64Decode, base64Encode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { printable } from '../json/printable-text';

/** One signature line of a note: who it says has signed, and what. Nothing about it is verified. */
export interface NoteSignature {
  /** Name of the key, as a rule a URL without its scheme. */
  name: string;
  /** 4 bytes; name and hash together tell a key from all others. */
  keyHash: Uint8Array<ArrayBuffer>;
  /** What comes after the hash; its form depends on the kind of key. */
  signature: Uint8Array<ArrayBuffer>;
}

/** Text with signatures beneath it (c2sp.org/signed-note). */
export interface SignedNote {
  /** What is signed, its last line feed included. */
  text: string;
  signatures: NoteSignature[];
}

/** Largest note that is read, in UTF-16 code units: Go's note package stops at a million bytes. */
const MAX_NOTE = 1_000_000;
/** Most signature lines that are read; 16 must be (c2sp.org/signed-note), Go's note package reads 100. */
const MAX_SIGNATURES = 100;
const KEY_HASH_BYTES = 4;
/** A character below U+0020 other than the line feed (c2sp.org/signed-note). */
const CONTROL_CHARACTER = /[^\n\x20-\u{10ffff}]/u;
const LONE_SURROGATE = /\p{Surrogate}/u;
const NAME = /^[^\p{White_Space}+]+$/u;
const SIGNATURE_LINE = /^\u2014 ([^ ]+) ([A-Za-z0-9+/]+={0,2})$/;

/** Whether a text can name a key: without spaces and plus signs, which the formats around it are made of. */
export function isKeyName(name: string): boolean {
  return NAME.test(name) && isNoteText(name);
}

/** Reads a note; its signatures are not verified. @throws EvidenceError `invalid_note` */
export function parseSignedNote(note: string): SignedNote {
  if (note.length > MAX_NOTE) throw refuse(`it is longer than ${MAX_NOTE} characters`);
  // The last empty line: the text may have others.
  const end = note.lastIndexOf('\n\n');
  if (end < 0) throw refuse('no empty line parts its text from its signatures');
  const text = note.slice(0, end + 1);
  if (!isNoteText(text)) throw refuse('its text has a control character or is not Unicode');
  return { text, signatures: parseSignatureLines(note.slice(end + 2)) };
}

/** Reads signature lines alone, as a witness answers with them. @throws EvidenceError `invalid_note` */
export function parseSignatureLines(lines: string): NoteSignature[] {
  if (!lines.endsWith('\n')) throw refuse('its signatures do not end with a line feed');
  const each = lines.slice(0, -1).split('\n');
  if (each.length > MAX_SIGNATURES) throw refuse(`it has more than ${MAX_SIGNATURES} signatures`);
  return each.map((line) => {
    const [, name, base64] = SIGNATURE_LINE.exec(line) ?? [];
    const bytes = base64 === undefined ? null : base64Decode(base64);
    if (name === undefined || !isKeyName(name) || bytes === null || bytes.length <= KEY_HASH_BYTES) {
      throw refuse(`"${printable(line)}" is no signature line`);
    }
    return { name, keyHash: bytes.slice(0, KEY_HASH_BYTES), signature: bytes.slice(KEY_HASH_BYTES) };
  });
}

/** The line of a signature, its line feed included. */
export function signatureLine({ name, keyHash, signature }: NoteSignature): string {
  const bytes = new Uint8Array(keyHash.length + signature.length);
  bytes.set(keyHash);
  bytes.set(signature, keyHash.length);
  return `\u2014 ${name} ${base64Encode(bytes)}\n`;
}

/** The note of a text that ends with a line feed. */
export function signedNote({ text, signatures }: SignedNote): string {
  return `${text}\n${signatures.map(signatureLine).join('')}`;
}

function isNoteText(text: string): boolean {
  return !CONTROL_CHARACTER.test(text) && !LONE_SURROGATE.test(text);
}

function refuse(message: string): EvidenceError {
  return new EvidenceError('invalid_note', `This is no signed note: ${message}.`);
}
