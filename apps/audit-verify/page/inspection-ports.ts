import { type InspectionSetup, type TaskResult } from '../verdict/inspected/inspected-events';
import { type Inspectors } from '../verdict/files/verify-files';
import { type InspectionAnswer, type InspectionRequest } from './inspection.worker';

interface Entry {
  port: MessagePort;
  waiting: { resolve(result: TaskResult): void; reject(error: Error): void }[];
}

/** The inspecting workers as the verdict's worker sees them; the page has started them. */
export class InspectionPorts implements Inspectors {
  private readonly entries: Entry[];
  private told: InspectionSetup | undefined;

  constructor(ports: readonly MessagePort[]) {
    this.entries = ports.map((port) => {
      const entry: Entry = { port, waiting: [] };
      port.addEventListener('message', ({ data }: MessageEvent<InspectionAnswer>) => {
        const next = entry.waiting.shift();
        if ('result' in data) next?.resolve(data.result);
        else next?.reject(new Error(data.error));
      });
      port.start();
      return entry;
    });
  }

  /** Two parts for each, so that none waits for the next. */
  get parallel(): number {
    return this.entries.length * 2;
  }

  async inspect(lines: Uint8Array<ArrayBuffer>, setup: InspectionSetup): Promise<TaskResult> {
    if (this.told !== setup) for (const { port } of this.entries) send(port, { setup });
    this.told = setup;
    const entry = this.entries.reduce((least, one) =>
      one.waiting.length < least.waiting.length ? one : least,
    );
    const result = new Promise<TaskResult>((resolve, reject) => entry.waiting.push({ resolve, reject }));
    send(entry.port, { lines }, [lines.buffer]);
    return await result;
  }
}

function send(port: MessagePort, request: InspectionRequest, transfer: Transferable[] = []): void {
  port.postMessage(request, transfer);
}
