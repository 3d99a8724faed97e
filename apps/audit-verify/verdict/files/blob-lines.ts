import { eachLine } from '../inspected/inspect-lines';
import { endsLikeRegistryEvent, LONGEST_END } from '../inspected/registry-line';

/** Bytes read at once: some thousand events. */
const STEP = 1 << 20;
const LINE_FEED = 0x0a;
/** Bytes kept of a line: no event is longer, and a longer line is refused for its length. */
const LONGEST_LINE = 1 << 20;

/** A part of a file: whole lines, and how many bytes of the file they are. */
export interface Chunk {
  lines: Uint8Array<ArrayBuffer>;
  read: number;
}

/** A file in parts that end with a line. A line that is far too long is cut, and still one line. */
export async function* chunksOf(file: Blob, step = STEP): AsyncGenerator<Chunk> {
  let rest = new Uint8Array(0);
  let unread = 0;
  for (let at = 0; at < file.size; at += step) {
    const bytes = new Uint8Array(await file.slice(at, at + step).arrayBuffer());
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      if (rest.length < LONGEST_LINE) rest = joined(rest, bytes);
      unread += bytes.length;
      continue;
    }
    // What begins before this part ends in it, unless it was cut already.
    yield { lines: joined(rest, bytes.subarray(0, end)), read: unread + end };
    rest = bytes.slice(end);
    unread = rest.length;
  }
  if (rest.length > 0) yield { lines: rest, read: unread };
}

/** Lines that may speak for the key registry: nothing is parsed, only the end of every line is looked at. */
export async function registryLines(file: Blob): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const { lines } of chunksOf(file)) {
    eachLine(lines, (line) => {
      const end = String.fromCharCode(...line.subarray(-LONGEST_END));
      if (endsLikeRegistryEvent(end)) found.push(line.slice());
    });
  }
  return found;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
