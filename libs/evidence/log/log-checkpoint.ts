import { EvidenceError } from '../evidence.error';
import { isOrigin } from '../chain/origin';
import { checkedKeyOfPem } from '../keys/public-key';
import { type NoteKey, noteKeyHash } from './note-key';
import { parseSignedNote, type SignedNote, signedNote } from './signed-note';
import { notACheckpoint, parseTreeHead, type TreeHead, treeHeadText } from './tree-head';

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
export interface SignedCheckpoint extends LogCheckpoint, SignedNote {
  /** Lines after the third: ours have none, and readers let others pass (c2sp.org/tlog-checkpoint). */
  extension: string[];
}

const LOG = /^(.+)\/log\/(0|[1-9][0-9]{0,3})$/;
const encoder = new TextEncoder();

export function logName(origin: string, shard: number): string {
  return `${origin}/log/${shard}`;
}

/** The note's text, which is signed. @throws EvidenceError `invalid_checkpoint` */
export function checkpointText({ origin, shard, size, root }: LogCheckpoint): string {
  const text = treeHeadText({ log: logName(origin, shard), size, root, extension: [] });
  ofOurLog(parseTreeHead(text));
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
  const { extension, ...checkpoint } = ofOurLog(parseTreeHead(text));
  if (extension.length > 0) throw notACheckpoint('it must have three lines, nothing else');
  return checkpoint;
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
  const { name, raw } = checkpointKey(checkpoint, publicKeyPem);
  return signedNote({
    text: checkpointText(checkpoint),
    signatures: [{ name, keyHash: noteKeyHash(name, raw), signature: Uint8Array.from(signature) }],
  });
}

/** A checkpoint key as the log's readers name it. @param publicKeyPem of a key that is not weak */
export function checkpointKey(
  { origin, shard }: Pick<LogCheckpoint, 'origin' | 'shard'>,
  publicKeyPem: string,
): NoteKey {
  return { name: logName(origin, shard), type: 'ed25519', raw: checkedKeyOfPem(publicKeyPem) };
}

/** Reads the signed note of one of our logs; it may have cosignatures. @throws EvidenceError `invalid_checkpoint` */
export function parseSignedCheckpoint(note: string): SignedCheckpoint {
  const { head, ...signed } = parseCheckpointNote(note);
  return { ...ofOurLog(head), ...signed };
}

/** Reads the signed note of any log. @throws EvidenceError `invalid_checkpoint` */
export function parseCheckpointNote(note: string): SignedNote & { head: TreeHead } {
  let signed: SignedNote;
  try {
    signed = parseSignedNote(note);
  } catch (cause) {
    throw notACheckpoint((cause as EvidenceError).message, cause);
  }
  return { ...signed, head: parseTreeHead(signed.text) };
}

function ofOurLog({ log, size, root, extension }: TreeHead): LogCheckpoint & { extension: string[] } {
  const [, origin, shard] = LOG.exec(log) ?? [];
  if (!isOrigin(origin) || shard === undefined)
    throw notACheckpoint('its first line names no log, <origin>/log/<shard>');
  return { origin, shard: Number(shard), size, root, extension };
}
