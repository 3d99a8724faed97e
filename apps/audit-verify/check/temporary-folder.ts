import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for what does not fit into memory, made when first needed and gone when the process ends. */
export class TemporaryFolder {
  private path: string | undefined;
  private files = 0;

  /** Path of a new file. */
  file(): string {
    if (this.path === undefined) {
      this.path = mkdtempSync(join(tmpdir(), 'audit-verify-'));
      process.once('exit', () => this.remove());
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => {
          this.remove();
          process.kill(process.pid, signal);
        });
      }
    }
    return join(this.path, String(this.files++));
  }

  remove(): void {
    if (this.path !== undefined) rmSync(this.path, { recursive: true, force: true });
    this.path = undefined;
  }
}
