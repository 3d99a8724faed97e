import { type DrillRun } from './drill-run';

/** A runbook that is practised. */
export interface Drill {
  /** As it is called: `./kernel drill NAME`, and `drill/NAME`, the stream of its records. */
  readonly name: string;
  readonly summary: string;
  /** Below runbooks/, without `.md`. */
  readonly runbook: string;
  /** Makes the fault on the scratch kernel and follows the runbook. @throws DrillFault at the first step that fails */
  readonly practise: (run: DrillRun) => Promise<void>;
}
