import { appendFileSync, closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** One file and its predecessor: a process that logs in a loop cannot fill the disk of whoever left it running. */
const DEFAULT_MAX_BYTES = 8 * 1024 * 1024;
const TAIL_LINES = 40;

/** An append-only log file that turns over to `<file>.1` when it is full, and remembers its last lines. */
export class BoundedLog {
  private fd: number | undefined;
  private size = 0;
  private lines: string[] = [];
  private partial = '';

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
    const lines = (this.partial + Buffer.from(bytes).toString('utf8')).split('\n');
    this.partial = (lines.pop() ?? '').slice(-4096);
    this.lines = [...this.lines, ...lines].slice(-TAIL_LINES);
  }

  /** A new process writes from here on: `tail` forgets what an earlier one said. */
  startAnew(): void {
    this.lines = [];
    this.partial = '';
  }

  /** The last lines written through this object, oldest first. */
  tail(count = TAIL_LINES): string[] {
    return [...this.lines, ...(this.partial === '' ? [] : [this.partial])].slice(-count);
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private open(): void {
    appendFileSync(this.file, '', { mode: 0o600 });
    this.fd = openSync(this.file, 'a', 0o600);
    this.size = statSync(this.file).size;
  }
}
