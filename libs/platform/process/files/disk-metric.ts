import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Gauge, register, type Registry } from 'prom-client';

/** A scrape does not wait longer for a disk that does not answer; it has the value of before then. */
const PATIENCE_MS = 250;

/** Folders of each registry's gauge, by what is in them. */
const watched = new WeakMap<Registry, Map<string, WatchedDisk>>();

/**
 * Shows at each scrape how much of a disk is free.
 * @param what is written there, as the label: a word of this code
 * @param folder on that disk
 */
export function watchDisk(what: 'state' | 'archive', folder: string, registry: Registry = register): void {
  let disks = watched.get(registry);
  if (disks === undefined) {
    disks = new Map();
    watched.set(registry, disks);
    gaugeOf(disks, registry);
  }
  disks.set(what, new WatchedDisk(folder));
}

function gaugeOf(disks: ReadonlyMap<string, WatchedDisk>, registry: Registry): void {
  new Gauge({
    name: 'kernel_state_filesystem_free_ratio',
    help: 'Part of the disk that is free for this process, 0 to 1: of KERNEL_DISK_FOLDER (state) and of an archive in a folder.',
    labelNames: ['what'],
    registers: [registry],
    async collect() {
      await Promise.all(
        [...disks].map(async ([what, disk]) => {
          const ratio = await disk.free();
          if (ratio === undefined) this.remove({ what });
          else this.set({ what }, ratio);
        }),
      );
    },
  });
}

class WatchedDisk {
  /** The last answer; undefined for a folder that cannot be examined. */
  private ratio: number | undefined;
  private asking: Promise<void> | undefined;

  constructor(private readonly folder: string) {}

  async free(): Promise<number | undefined> {
    // A disk that hangs takes one thread of the pool, and not one at each scrape.
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    const waited = new AbortController();
    await Promise.race([
      this.asking,
      delay(PATIENCE_MS, undefined, { signal: waited.signal }).catch(() => undefined),
    ]);
    waited.abort();
    return this.ratio;
  }

  private async ask(): Promise<void> {
    this.ratio = await statfs(this.folder).then(
      ({ bavail, blocks }) => (blocks === 0 ? undefined : bavail / blocks),
      () => undefined,
    );
  }
}
