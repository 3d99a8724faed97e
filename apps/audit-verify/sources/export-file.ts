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

const REGISTRY_STREAM = Buffer.from('"stream":"signer/');
/** No event is longer; what overlaps two reads is looked at twice. */
const LONGEST_EVENT = 1 << 16;

/** Lines that may speak for the key registry. A plain search: the file is read once more, but not parsed. */
export function* registryLines(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(SCAN_SIZE);
    let position = 0;
    let kept = 0;
    for (;;) {
      const read = readSync(file, buffer, kept, buffer.length - kept, position);
      const length = kept + read;
      const text = buffer.subarray(0, length);
      // A line that is not complete yet is looked at with the next read.
      const end = read === 0 ? length : text.lastIndexOf(0x0a) + 1;
      for (let at = text.indexOf(REGISTRY_STREAM); at >= 0 && at < end;) {
        const start = text.lastIndexOf(0x0a, at) + 1;
        const feed = text.indexOf(0x0a, at);
        const stop = feed < 0 ? length : feed;
        yield Buffer.from(text.subarray(start, stop));
        at = text.indexOf(REGISTRY_STREAM, stop);
      }
      if (read === 0) return;
      position += read;
      const rest = length - end;
      kept = rest > LONGEST_EVENT ? 0 : rest;
      if (kept > 0) buffer.copy(buffer, 0, end, length);
    }
  } finally {
    closeSync(file);
  }
}
