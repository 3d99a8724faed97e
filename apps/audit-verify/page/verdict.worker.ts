import { UsageError } from '../usage.error';
import { type FileVerdict, type GivenFile, type Said, verifyFiles } from '../verdict/files/verify-files';
import { InspectionPorts } from './inspection-ports';

export interface VerdictRequest {
  /** One to each inspecting worker: a page that was opened from a disk can start workers, its workers cannot. */
  inspectors: MessagePort[];
  files: GivenFile[];
  said: Said;
}

export type VerdictAnswer =
  | { bytes: number; events: number }
  | { verdicts: FileVerdict[] }
  /** `usage`: what is missing or does not go together, for a person; otherwise a fault of this program. */
  | { error: string; usage: boolean };

export const VERDICT_WORKER = 'verdict';

/** Milliseconds between two answers about progress. */
const PROGRESS_MS = 100;

/** Judges the files of one request, and says how far it is. */
export function serveVerdicts(): void {
  const answer = (message: VerdictAnswer): void => self.postMessage(message);
  self.addEventListener('message', ({ data }: MessageEvent<VerdictRequest>) => {
    const inspectors = new InspectionPorts(data.inspectors);
    let told = 0;
    const progress = (bytes: number, events: number): void => {
      if (performance.now() - told < PROGRESS_MS) return;
      told = performance.now();
      answer({ bytes, events });
    };
    verifyFiles(data.files, data.said, inspectors, progress).then(
      (verdicts) => answer({ verdicts }),
      (error: unknown) => {
        const usage = error instanceof UsageError;
        const text = error instanceof Error ? (usage ? error.message : error.stack) : String(error);
        answer({ error: text ?? String(error), usage });
      },
    );
  });
}
