import { type Command } from 'commander';
import { type AllocateAnswer, type AllocationPage } from '#openapi/kernel';
import { CliError } from '../cli.error';
import { print, table } from '../output/print';
import { shown } from '../output/shown';
import { type CallOptions, get, numberOf, post, reading, withQuery, withReason, writing } from './api-calls';
import { describeBalances } from './division.command';

interface AllocateOptions extends CallOptions {
  agent?: string;
  division?: string;
  pool?: string;
  eval?: string;
  reason: string;
}

/** Allocations: grant from a division's budget, release, list. */
export function addAllocation(program: Command): void {
  const allocation = program
    .command('allocation')
    .summary("what agents are granted of their division's budget");

  for (const [verb, sign, words] of [
    ['grant', 1, 'Grants an agent, or a division itself, something of the division’s budget.'],
    ['release', -1, 'Takes back what an agent, or a division itself, holds of the budget.'],
  ] as const) {
    withReason(writing(allocation.command(verb)))
      .description(words)
      .argument('<amount>', 'how much; at most three decimal places')
      .option('--agent <id>', 'the agent')
      .option('--division <id>', 'the division itself')
      .option('--pool <name>', 'of which pool (default: default)')
      .option('--eval <id>', 'the evaluation that it is granted on')
      .action(async (amount: string, options: AllocateOptions) => {
        await allocate(sign * positive(amount), options);
      });
  }

  reading(allocation.command('list'))
    .description('Lists what was granted from a division’s budget and released, newest first.')
    .requiredOption('--division <id>', 'the division')
    .option('--limit <n>', 'how many', '20')
    .action(async (options: CallOptions & { division: string; limit: string }) => {
      const { division: divisionId, limit } = options;
      const answer = await get(options, withQuery('/kernel/allocate', { divisionId, limit }));
      if (options.json === true) return print(answer);
      const { allocations } = shown<AllocationPage>(answer);
      const rows = allocations.map(({ ts, entityId, pool, delta, held, requestedBy, reason }) => ({
        at: ts,
        to: entityId,
        pool,
        delta,
        held,
        by: requestedBy,
        reason,
      }));
      print(rows.length === 0 ? 'Nothing was allocated.' : table(rows));
    });
}

async function allocate(delta: number, options: AllocateOptions): Promise<void> {
  const { agent: agentId, division: divisionId, pool, eval: evalId, reason } = options;
  if (agentId === undefined && divisionId === undefined) {
    throw new CliError('wrong_usage', 'To whom? Name --agent, or --division.');
  }
  const body = JSON.stringify({ agentId, divisionId, pool, delta, reason, evalId });
  const answer = await post(options, '/kernel/allocate', body);
  if (options.json === true) return print(answer);
  const { allocation, balances } = shown<AllocateAnswer>(answer);
  print(
    [
      `${allocation.entityId} holds ${allocation.held} of the pool ${allocation.pool}`,
      ...describeBalances(balances),
    ].join('\n'),
  );
}

function positive(amount: string): number {
  const number = numberOf('<amount>', amount);
  if (number > 0) return number;
  throw new CliError('wrong_usage', `An amount is greater than zero, not "${amount}"; use grant or release.`);
}
