import { type OpenPage } from '#dev/testing';
import { MIB } from '../machine/resident-memory';

export interface TabMemory {
  /** Minutes since the tab was first looked into. */
  readonly at: number;
  /** MiB of JavaScript objects that are left after a collection. */
  readonly heap: number;
  /** Nodes of the documents, those too that are only held by a script. */
  readonly nodes: number;
  readonly listeners: number;
}

/** What the browser says of one tab, over the debugger. */
export class TabMetrics {
  private readonly began = performance.now();

  private constructor(private readonly debug: Awaited<ReturnType<OpenPage['context']['newCDPSession']>>) {}

  static async of({ context, page }: OpenPage): Promise<TabMetrics> {
    const debug = await context.newCDPSession(page);
    await debug.send('Performance.enable');
    await debug.send('HeapProfiler.enable');
    return new TabMetrics(debug);
  }

  /** CPU seconds of the tab's process since it began, all of its threads together. */
  async cpuSeconds(): Promise<number> {
    return (await this.read())('ProcessTime');
  }

  /** What the tab holds after a collection that is forced. */
  async memory(): Promise<TabMemory> {
    // The second one takes what only finalizers of the first have let go.
    await this.debug.send('HeapProfiler.collectGarbage');
    await this.debug.send('HeapProfiler.collectGarbage');
    const value = await this.read();
    return {
      at: (performance.now() - this.began) / 60_000,
      heap: value('JSHeapUsedSize') / MIB,
      nodes: value('Nodes'),
      listeners: value('JSEventListeners'),
    };
  }

  private async read(): Promise<(name: string) => number> {
    const { metrics } = await this.debug.send('Performance.getMetrics');
    return (name) => {
      const found = metrics.find((one) => one.name === name);
      if (found === undefined) throw new Error(`this Chromium does not tell ${name}`);
      return found.value;
    };
  }
}
