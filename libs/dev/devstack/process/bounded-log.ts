import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** One file and its predecessor: a process that logs in a loop cannot fill the disk of the user who left it running. */
const DEFAULT_MAX_BYTES = 8 * 1024 * 1024;
const TAIL_LINES = 40;
/** Bytes kept in memory: lines are cut out when a caller asks, which is seldom, and not at each write. */
const TAIL_BYTES = 64 * 1024;

/**
 * An append-only log file that turns over to `<file>.1` when it is full, and remembers its last lines. What cannot be
 * written (a full disk) is counted, and the file says so once it can be written again: a log ends no process.
 */
export class BoundedLog {
  private fd: number | undefined;
  private size = 0;
  private closed = false;
  private lost = { bytes: 0, reason: '' };
  /** The last chunks, at least TAIL_BYTES of them once that much was written. */
  private recent: Uint8Array[] = [];
  private recentBytes = 0;
  /** Something came before `recent`, so that it need not begin with the beginning of a line. */
  private cut = false;

  constructor(
    readonly file: string,
    private readonly maxBytes = DEFAULT_MAX_BYTES,
  ) {
    try {
      mkdirSync(dirname(file), { recursive: true });
      this.open();
    } catch (error) {
      // A full disk may have room again at the next line; any other fault is one of the place that was named.
      if (!isFull(error)) throw error;
    }
  }

  write(chunk: Uint8Array | string): void {
    if (this.closed) return;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    this.remember(bytes);
    let written = 0;
    try {
      this.turnOver(bytes.length);
      if (this.lost.bytes > 0) {
        this.writeAll(Buffer.from(noticeOf(this.lost)), () => undefined);
        this.lost = { bytes: 0, reason: '' };
      }
      this.writeAll(bytes, (count) => (written += count));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.lost = { bytes: this.lost.bytes + bytes.length - written, reason: code ?? message };
    }
  }

  /** A new process writes from here on: `tail` forgets what an earlier one said. */
  startAnew(): void {
    this.recent = [];
    this.recentBytes = 0;
    this.cut = false;
  }

  /** The last lines written through this object, oldest first; also those that did not get into the file. */
  tail(count = TAIL_LINES): string[] {
    const lines = Buffer.concat(this.recent).toString('utf8').split('\n');
    if (this.cut) lines.shift();
    if (lines.at(-1) === '') lines.pop();
    return lines.slice(-Math.min(count, TAIL_LINES));
  }

  close(): void {
    this.closed = true;
    this.release();
  }

  private remember(bytes: Uint8Array): void {
    this.recent.push(bytes);
    this.recentBytes += bytes.length;
    for (
      let oldest = this.recent[0];
      oldest !== undefined && this.recentBytes - oldest.length >= TAIL_BYTES;
      oldest = this.recent[0]
    ) {
      this.recent.shift();
      this.recentBytes -= oldest.length;
      this.cut = true;
    }
  }

  /** Makes sure that there is a file with room for so many bytes; opens it again where that failed before. */
  private turnOver(bytes: number): void {
    if (this.fd === undefined) this.open();
    if (this.size === 0 || this.size + bytes <= this.maxBytes) return;
    this.release();
    renameSync(this.file, `${this.file}.1`);
    this.open();
  }

  private writeAll(bytes: Uint8Array, wrote: (count: number) => void): void {
    // A disk that becomes full takes a part first, and refuses at the next call.
    for (let at = 0; at < bytes.length;) {
      const count = writeSync(this.fd as number, bytes, at);
      at += count;
      this.size += count;
      wrote(count);
    }
  }

  private open(): void {
    this.fd = openSync(this.file, 'a', 0o600);
    this.size = statSync(this.file).size;
  }

  private release(): void {
    const { fd } = this;
    this.fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }
}

/** A line of its own, also where the last one was cut. */
function noticeOf({ bytes, reason }: { bytes: number; reason: string }): string {
  return `\n${new Date().toISOString()} ${bytes} bytes of this log could not be written (${reason})\n`;
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}
