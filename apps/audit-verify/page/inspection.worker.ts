import { ChainInspector } from '../verdict/inspected/chain-inspector';
import { inspectLines } from '../verdict/inspected/inspect-lines';
import { type InspectionSetup, type TaskResult } from '../verdict/inspected/inspected-events';

/** The page's first and only message has the port on which the others come. */
export interface InspectionStart {
  port: MessagePort;
}
export type InspectionRequest = { setup: InspectionSetup } | { lines: Uint8Array<ArrayBuffer> };
export type InspectionAnswer = { result: TaskResult } | { error: string };

export const INSPECTION_WORKER = 'inspection';

/** Answers every part of a chain with what its events are by themselves, in turn. */
export function serveInspection(): void {
  self.addEventListener('message', ({ data: { port } }: MessageEvent<InspectionStart>) => {
    let given: { setup: InspectionSetup; inspector: ChainInspector } | undefined;
    port.addEventListener('message', ({ data }: MessageEvent<InspectionRequest>) => {
      if ('setup' in data) {
        given = { setup: data.setup, inspector: new ChainInspector(data.setup) };
        return;
      }
      let answer: InspectionAnswer;
      try {
        if (given === undefined) throw new Error('there is no setup');
        answer = { result: inspectLines(data.lines, given.inspector, given.setup) };
      } catch (error) {
        answer = { error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) };
      }
      port.postMessage(answer);
    });
    port.start();
  });
}
