import { write, writeSync } from 'node:fs';
import { type DestinationStream } from 'pino';

/** Lines are gathered to this many bytes for one write; measured here, a write per line costs three times as much. */
const BUFFER_BYTES = 4096;
/** Lines are written after this long anyway, and again after this long where they could not be. */
const FLUSH_MS = 250;
/** When the reader of the log stalls, lines beyond this are dropped rather than filling memory. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
/** Time that a process which ends gives a reader that is behind. */
const LAST_WRITE_MS = 2_000;
const BUSY_WAIT_MS = 10;

/**
 * Lines of the log on their way to a file descriptor, written asynchronously, and at the process's end at once.
 *
 * A log ends no process: what cannot be written (a full disk) waits and is tried again, and what waits is bounded. pino's own
 * destination throws at the first such error, and at the process's end tries for ever (sonic-boom 4.2, flushSync).
 */
export class LogOutput implements DestinationStream {
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  /** What is being written, or could not be. */
  private current: Buffer | undefined;
  private isWriting = false;
  private dropped = 0;
  private readerGone = false;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly fd: number) {
    this.timer = setInterval(() => this.flush(), FLUSH_MS).unref();
    process.on('exit', () => this.writeRest());
  }

  write(line: string): void {
    if (this.readerGone) return;
    const bytes = Buffer.from(line);
    if (this.waitingBytes + bytes.length > MAX_PENDING_BYTES) {
      this.dropped += 1;
      return;
    }
    if (this.dropped > 0) {
      this.add(
        Buffer.from(
          `${JSON.stringify({ level: 'warn', dropped: this.dropped, msg: 'log lines dropped' })}\n`,
        ),
      );
      this.dropped = 0;
    }
    this.add(bytes);
    if (this.waitingBytes >= BUFFER_BYTES && this.current === undefined) this.flush();
  }

  private add(bytes: Buffer): void {
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
  }

  private flush(): void {
    if (this.isWriting) return;
    this.current ??= this.taken();
    const { current } = this;
    if (current === undefined) return;
    this.isWriting = true;
    write(this.fd, current, (error, count) => {
      this.isWriting = false;
      if (error !== null) return this.failed(error);
      this.current = count < current.length ? current.subarray(count) : undefined;
      if (this.current !== undefined || this.waitingBytes >= BUFFER_BYTES) this.flush();
    });
  }

  /** The timer tries again. */
  private failed({ code }: NodeJS.ErrnoException): void {
    if (code !== 'EPIPE') return;
    this.readerGone = true;
    this.waiting = [];
    this.current = undefined;
    clearInterval(this.timer);
  }

  private taken(): Buffer | undefined {
    if (this.waiting.length === 0) return undefined;
    const taken = Buffer.concat(this.waiting);
    this.waiting = [];
    this.waitingBytes = 0;
    return taken;
  }

  /** There is no event loop any more; a write that is under way ends by itself. */
  private writeRest(): void {
    const parts = [this.isWriting ? undefined : this.current, this.taken()];
    const deadline = Date.now() + LAST_WRITE_MS;
    for (let part of parts) {
      while (part !== undefined && part.length > 0) {
        try {
          part = part.subarray(writeSync(this.fd, part));
        } catch (error) {
          const isBusy = (error as NodeJS.ErrnoException).code === 'EAGAIN';
          if (!isBusy || Date.now() > deadline) return;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_WAIT_MS);
        }
      }
    }
  }
}
