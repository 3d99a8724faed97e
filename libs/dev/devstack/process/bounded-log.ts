import { appendFileSync, closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** One file and its predecessor: a process that logs in a loop cannot fill the disk of the user who left it running. */
const DEFAULT_MAX_BYTES = 8 * 1024 * 1024;
const TAIL_LINES = 40;
/** Bytes kept in memory: lines are cut out when a caller asks, which is seldom, and not at each write. */
const TAIL_BYTES = 64 * 1024;

/** An append-only log file that turns over to `<file>.1` when it is full, and remembers its last lines. */
export class BoundedLog {
  private fd: number | undefined;
  private size = 0;
  /** The last chunks, at least TAIL_BYTES of them once that much was written. */
  private recent: Uint8Array[] = [];
  private recentBytes = 0;
  /** Something came before `recent`, so that it need not begin with the beginning of a line. */
  private cut = false;

  constructor(
    readonly file: string,
    private readonly maxBytes = DEFAULT_MAX_BYTES,
  ) {
    mkdirSync(dirname(file), { recursive: true });
    this.open();
  }

  write(chunk: Uint8Array | string): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (this.fd === undefined) return;
    if (this.size > 0 && this.size + bytes.length > this.maxBytes) {
      closeSync(this.fd);
      renameSync(this.file, `${this.file}.1`);
      this.open();
    }
    writeSync(this.fd, bytes);
    this.size += bytes.length;
    this.remember(bytes);
  }

  /** A new process writes from here on: `tail` forgets what an earlier one said. */
  startAnew(): void {
    this.recent = [];
    this.recentBytes = 0;
    this.cut = false;
  }

  /** The last lines written through this object, oldest first. */
  tail(count = TAIL_LINES): string[] {
    const lines = Buffer.concat(this.recent).toString('utf8').split('\n');
    if (this.cut) lines.shift();
    if (lines.at(-1) === '') lines.pop();
    return lines.slice(-Math.min(count, TAIL_LINES));
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
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

  private open(): void {
    appendFileSync(this.file, '', { mode: 0o600 });
    this.fd = openSync(this.file, 'a', 0o600);
    this.size = statSync(this.file).size;
  }
}
