import { base64Decode, base64Encode } from '../json/base64';
import { EvidenceError } from '../evidence.error';

/** Statement of any log about its tree, the text of a checkpoint (c2sp.org/tlog-checkpoint). */
export interface TreeHead {
  /** Name of the log, the origin line; nothing is assumed about its form. */
  log: string;
  /** Number of leaves. */
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
  /** Lines after the third: signed, and not to be understood by anyone else. */
  extension: string[];
}

const SIZE = /^(0|[1-9][0-9]{0,15})$/;

/** Reads a size as logs and witnesses write it: decimal, without leading zeros, below 2^53. Null for anything else. */
export function parseTreeSize(text: string | undefined): number | null {
  const size = text !== undefined && SIZE.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(size) ? size : null;
}

/** Reads 32 bytes in base64, the hash of a tree. Null for anything else. */
export function parseTreeHash(text: string | undefined): Uint8Array<ArrayBuffer> | null {
  const hash = text === undefined ? null : base64Decode(text);
  return hash?.length === 32 ? hash : null;
}

/** Reads the text of a note as a checkpoint. @throws EvidenceError `invalid_checkpoint` */
export function parseTreeHead(text: string): TreeHead {
  if (!text.endsWith('\n')) throw notACheckpoint('its text does not end with a line feed');
  const [log, sizeLine, rootLine, ...extension] = text.slice(0, -1).split('\n');
  if (!log) throw notACheckpoint('its first line names no log');
  const size = parseTreeSize(sizeLine);
  if (size === null) throw notACheckpoint('its second line is no size');
  const root = parseTreeHash(rootLine);
  if (root === null) throw notACheckpoint('its third line is no SHA-256 in base64');
  if (extension.includes('')) throw notACheckpoint('one of its further lines is empty');
  return { log, size, root, extension };
}

/** The text of a checkpoint. */
export function treeHeadText({ log, size, root, extension }: TreeHead): string {
  return `${[log, size, base64Encode(root), ...extension].join('\n')}\n`;
}

export function notACheckpoint(message: string, cause?: unknown): EvidenceError {
  return new EvidenceError('invalid_checkpoint', `This is no checkpoint of a log: ${message}.`, { cause });
}
