import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Logger } from '../logs/logger';

export interface FileWatchOptions {
  readonly files: readonly string[];
  /** Reads the files; called whenever they may have changed. */
  readonly look: () => void;
  readonly logger: Logger;
  /** Default {@link LOOK_EVERY_MS}. */
  readonly everyMs?: number | undefined;
}

/** Interval of looks without a sign: inotify misses network file systems and exchanges above a folder. */
const LOOK_EVERY_MS = 10_000;
/** Wait after a sign of a change, for the other files of the set to follow. */
const SETTLE_MS = 100;
/** The link that Kubernetes exchanges when a mounted secret changes. */
const MOUNTED = '..data';

/**
 * Has files looked at when they change: on a sign from the file system, on SIGHUP, and every ten seconds in any case. The
 * folders are watched and not the files, because secrets are mounted by exchanging a link beside them (`..data`) and
 * renewed by renaming. Keeps no process alive.
 */
export class FileWatch {
  private readonly watchers: FSWatcher[] = [];
  private readonly interval: NodeJS.Timeout;
  private soon: NodeJS.Timeout | undefined;

  constructor(private readonly options: FileWatchOptions) {
    const { files, everyMs = LOOK_EVERY_MS } = options;
    const names = new Set([MOUNTED, ...files.map((file) => basename(file))]);
    for (const folder of new Set(files.map((file) => dirname(file)))) this.watchFolder(folder, names);
    this.interval = setInterval(this.now, everyMs);
    this.interval.unref();
    process.on('SIGHUP', this.now);
  }

  lookSoon(inMs: number): void {
    this.soon ??= setTimeout(this.now, inMs).unref();
  }

  close(): void {
    process.off('SIGHUP', this.now);
    clearInterval(this.interval);
    clearTimeout(this.soon);
    for (const watcher of this.watchers) watcher.close();
  }

  private readonly now = (): void => {
    clearTimeout(this.soon);
    this.soon = undefined;
    this.options.look();
  };

  private watchFolder(folder: string, names: ReadonlySet<string>): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || names.has(name)) this.lookSoon(SETTLE_MS);
      });
      // The interval finds what inotify misses.
      watcher.on('error', () => watcher.close());
      this.watchers.push(watcher);
    } catch (error) {
      this.options.logger.debug(
        { folder, err: error },
        'a folder cannot be watched; it is read now and then',
      );
    }
  }
}
