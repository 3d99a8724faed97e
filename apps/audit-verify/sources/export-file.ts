import {
  closeSync,
  createReadStream,
  createWriteStream,
  fstatSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Task } from '../check/tasks';
import { type TemporaryFolder } from '../check/temporary-folder';
import { UsageError } from '../usage.error';
import { endsLikeRegistryEvent, LONGEST_END } from '../verdict/inspected/registry-line';

/** Bytes per task: some thousand events. */
const TASK_SIZE = 1 << 20;
const SCAN_SIZE = 1 << 22;

/**
 * An export as a regular file. Standard input and pipes are copied to a temporary one: the registry is read before the
 * events, and the cores read in parallel.
 */
export async function openExport(path: string, folder: TemporaryFolder): Promise<string> {
  if (path !== '-') {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) throw new UsageError(`--export ${path}: there is no such file.`);
    if (stat.isDirectory()) throw new UsageError(`--export ${path} is a folder: for an archive use --dir.`);
    if (stat.isFile()) return path;
  }
  const copy = folder.file();
  await pipeline(path === '-' ? process.stdin : createReadStream(path), createWriteStream(copy));
  return copy;
}

export function exportSize(path: string): number {
  const file = openSync(path, 'r');
  try {
    return fstatSync(file).size;
  } finally {
    closeSync(file);
  }
}

export function* exportTasks(path: string, size: number): Generator<Task> {
  for (let start = 0; start < size; start += TASK_SIZE) {
    yield { kind: 'lines', path, start, end: Math.min(start + TASK_SIZE, size) };
  }
}

const LINE_FEED = 0x0a;
/** No event is longer; of a longer line only the end is looked at. */
const LONGEST_EVENT = 1 << 16;

/**
 * Lines that may speak for the key registry. The file is read once more for them, but nothing is parsed: only the end
 * of every line is looked at.
 */
export function* registryLines(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(SCAN_SIZE);
    let position = 0;
    let kept = 0;
    for (;;) {
      const read = readSync(file, buffer, kept, buffer.length - kept, position);
      const length = kept + read;
      let start = 0;
      for (;;) {
        const feed = buffer.indexOf(LINE_FEED, start);
        const end = feed >= 0 && feed < length ? feed : length;
        // A line that is not complete yet is looked at with the next read.
        if (end === length && read > 0) break;
        if (endsLikeRegistryEvent(buffer.toString('latin1', Math.max(start, end - LONGEST_END), end))) {
          yield Buffer.from(buffer.subarray(start, end));
        }
        start = end + 1;
        if (end === length) return;
      }
      position += read;
      kept = Math.min(length - start, LONGEST_EVENT);
      buffer.copy(buffer, 0, length - kept, length);
    }
  } finally {
    closeSync(file);
  }
}
