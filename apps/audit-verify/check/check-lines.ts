import { closeSync, openSync, readSync } from 'node:fs';

const LINE_FEED = 0x0a;
/** Bytes kept of a line: no event is longer, and a longer line is refused for its length. */
const LONGEST_LINE = 1 << 20;
const STEP = 1 << 16;

/**
 * Calls `each` for every line that begins in [start, end) of a file, without its line feed. The last line of a file may
 * lack one.
 */
export function readLines(path: string, start: number, end: number, each: (line: Uint8Array) => void): void {
  const file = openSync(path, 'r');
  try {
    // One byte more in front: it tells whether a line begins at `start`.
    const from = Math.max(0, start - 1);
    const chunk = Buffer.allocUnsafe(end - from);
    const length = readFully(file, chunk, from);
    let at = 0;
    if (start > 0) {
      const before = chunk.subarray(0, length).indexOf(LINE_FEED);
      if (before < 0) return;
      at = before + 1;
    }
    while (at < length) {
      const feed = chunk.indexOf(LINE_FEED, at);
      if (feed < 0 || feed >= length) {
        each(restOfLine(file, chunk.subarray(at, length), from + length));
        return;
      }
      each(chunk.subarray(at, feed));
      at = feed + 1;
    }
  } finally {
    closeSync(file);
  }
}

function restOfLine(file: number, begin: Uint8Array, from: number): Uint8Array {
  const parts = [begin];
  let kept = begin.length;
  for (let at = from; ; at += STEP) {
    const step = Buffer.allocUnsafe(STEP);
    const length = readFully(file, step, at);
    const feed = step.subarray(0, length).indexOf(LINE_FEED);
    if (kept < LONGEST_LINE) parts.push(step.subarray(0, feed < 0 ? length : feed));
    kept += length;
    if (feed >= 0 || length < STEP) return Buffer.concat(parts);
  }
}

function readFully(file: number, into: Buffer, from: number): number {
  let filled = 0;
  while (filled < into.length) {
    const read = readSync(file, into, filled, into.length - filled, from + filled);
    if (read === 0) break;
    filled += read;
  }
  return filled;
}
