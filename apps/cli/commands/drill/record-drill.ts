import { runningBuild } from '#dev/devstack';
import { type ConnectionOptions } from '../../api/connection';
import { withClient } from '../api-calls';
import { type DrillResult } from './drill-run';

export const DRILL_COMPLETED = 'drill.completed';
/** An event has at most 65,535 bytes; what a step showed is cut so that all of them fit. */
const SHOWN_CHARACTERS = 300;

/**
 * Appends the result to the chain of the kernel that the options name, in the stream `drill/<name>`: signed, and in the name of
 * whoever ran the drill.
 * @returns the event's id
 */
export async function recordDrill(options: ConnectionOptions, result: DrillResult): Promise<string> {
  const build = runningBuild();
  const payload = {
    ...result,
    steps: result.steps.map((step) =>
      step.shown === undefined ? step : { ...step, shown: step.shown.slice(0, SHOWN_CHARACTERS) },
    ),
    build:
      build === undefined ? null : { version: build.version, digest: build.digest, commit: build.commit },
  };
  const event = { type: DRILL_COMPLETED, stream: `drill/${result.drill}`, payload };
  const answer = await withClient(options, (kernel) => kernel.post('/kernel/audit', JSON.stringify(event)));
  const { events } = JSON.parse(answer) as { events: { id: string }[] };
  return events[0]?.id ?? '';
}
