import { setImmediate as turn } from 'node:timers/promises';
import { type Archive } from '#platform/archive';

/**
 * The objects of a log in memory. Each operation takes a turn of the event loop, so that a caller that repeats itself
 * without end does not stop the test.
 */
export class MemoryArchive implements Pick<Archive, 'put' | 'get' | 'replace'> {
  readonly objects = new Map<string, Uint8Array>();

  async put({ key, bytes }: Parameters<Archive['put']>[0]): Promise<'stored' | 'already'> {
    await turn();
    const outcome = this.objects.has(key) ? 'already' : 'stored';
    this.objects.set(key, bytes);
    return outcome;
  }

  async replace({ key, bytes }: Parameters<Archive['replace']>[0]): Promise<void> {
    await turn();
    this.objects.set(key, bytes);
  }

  async get(key: string): Promise<Uint8Array | null> {
    await turn();
    return this.objects.get(key) ?? null;
  }
}
