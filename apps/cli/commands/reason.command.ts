import { type Command } from 'commander';
import { type ReasonTrace } from '#openapi/kernel';
import { print } from '../output/print';
import { shown } from '../output/shown';
import { type CallOptions, get, reading, withQuery } from './api-calls';

/** Why something is as it is. */
export function addReason(program: Command): void {
  reading(program.command('reason'))
    .summary('why something is as it is, or what came of it')
    .description(
      'Shows the events that something rests on, those that they rest on, and so on, in the order in which they happened. With --effects those that rest on it.',
    )
    .argument(
      '<node>',
      "an event's id, a stream such as agent/a-1, or the id of an agent, division, upgrade or manifest",
    )
    .option('--effects', 'show what it led to, instead of what led to it')
    .option('--depth <n>', 'how far to go (default: to the end)')
    .action(async (node: string, options: CallOptions & { effects?: true; depth?: string }) => {
      const direction = options.effects === true ? 'effects' : undefined;
      const path = withQuery(`/kernel/reason/${encodeURIComponent(node)}`, {
        direction,
        depth: options.depth,
      });
      const answer = await get(options, path);
      print(options.json === true ? answer : describe(shown<ReasonTrace>(answer)));
    });
}

function describe({ node, stream, trace, truncated }: ReasonTrace): string {
  const steps = new Map(trace.map(({ id, step }) => [id, step]));
  return [
    node === stream ? node : `${node} (${stream})`,
    ...trace.flatMap(({ step, ts, position, type, stream: where, actor, note, because }) => [
      `${String(step).padStart(4)}  ${ts}  ${position}  ${type === null ? 'an event that you may not read' : `${type}  ${where}  by ${actor?.id ?? '?'}`}`,
      ...(note === null ? [] : [`      ${note}`]),
      ...because.map(({ relation, id }) => `      ${relation}: ${steps.get(id) ?? id}`),
    ]),
    ...(truncated ? ['There is more than is shown; ask for one of the events above.'] : []),
  ].join('\n');
}
