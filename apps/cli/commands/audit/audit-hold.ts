import { type Command } from 'commander';
import { type LegalHold, type LegalHoldAnswer } from '#openapi/kernel';
import { connectionFrom, type ConnectionOptions, withConnectionOptions } from '../../api/connection';
import { KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { print } from '../../output/print';
import { shown } from '../../output/shown';
import { dangerous, type DangerOptions, mayGoOn } from '../dangerous';

interface HoldOptions extends ConnectionOptions, DangerOptions {
  event?: string;
  shard?: string;
  from?: string;
  to?: string;
  lift?: true;
  reason?: string;
}

const ROUTE = '/kernel/audit/legal-hold';

export function addAuditHold(audit: Command): void {
  dangerous(withConnectionOptions(audit.command('hold')))
    .summary('hold archived events beyond their retention')
    .description(
      'Holds an event, or a range of a shard, in the archive beyond its retention, or lifts such a hold; both are recorded in the chain. ' +
        'Without an event or a range it lists the holds and how far the archive has followed.',
    )
    .option('--event <id>', 'the event')
    .option('--shard <n>', 'the shard of the range')
    .option('--from <seq>', 'first position of the range')
    .option('--to <seq>', 'last position of the range')
    .option('--reason <text>', 'why, for readers of the chain')
    .option('--lift', 'lift the hold that was placed on exactly these events')
    .option('--json', "print the kernel's answer as it came")
    .action(async (options: HoldOptions) => {
      await hold(options);
    });
}

async function hold(options: HoldOptions): Promise<void> {
  const target = targetOf(options);
  if (target !== null && options.reason === undefined) {
    throw new CliError('wrong_usage', '--reason is missing: say why, it goes into the chain.');
  }
  if (target !== null && (options.lift === true || options.dryRun === true)) {
    const effects = [
      options.lift === true
        ? `The hold on ${JSON.stringify(target)} ends: what is past its retention may be deleted from then on.`
        : `${JSON.stringify(target)} is held in the archive until someone lifts the hold.`,
    ];
    if (!(await mayGoOn(options, effects))) return;
  }
  const client = new KernelApiClient(await connectionFrom(options));
  try {
    if (target === null) await list(client, options);
    else await set(client, target, options);
  } finally {
    await client.close();
  }
}

async function set(client: KernelApiClient, target: object, options: HoldOptions): Promise<void> {
  const body = { ...target, hold: options.lift !== true, reason: options.reason };
  const answer = await client.post(ROUTE, JSON.stringify(body));
  if (options.json === true) {
    print(answer);
    return;
  }
  const { legalHold, position } = shown<LegalHoldAnswer>(answer);
  const what = legalHold.inForce ? 'Held' : 'Lifted the hold on';
  print(`${what} ${rangeText(legalHold)}, recorded at ${position}; the archive follows.`);
}

async function list(client: KernelApiClient, options: HoldOptions): Promise<void> {
  const answer = await client.get(ROUTE);
  if (options.json === true) {
    print(answer);
    return;
  }
  const { legalHolds } = shown<{ legalHolds: LegalHold[] }>(answer);
  if (legalHolds.length === 0) {
    print('No event is or was held.');
    return;
  }
  print(
    legalHolds
      .map(
        ({ inForce, since, applied, total, status, failure, reason, ...range }) =>
          `${inForce ? 'held  ' : 'lifted'}  ${rangeText(range)}  since ${since}  ${status} ${applied}/${total}  ${reason}` +
          (failure === null ? '' : `\n        ${failure}`),
      )
      .join('\n'),
  );
}

function rangeText({ shard, fromSeq, toSeq }: Pick<LegalHold, 'shard' | 'fromSeq' | 'toSeq'>): string {
  return fromSeq === toSeq ? `event ${shard}:${fromSeq}` : `events ${shard}:${fromSeq} to ${toSeq}`;
}

function targetOf({ event, shard, from, to, lift, reason }: HoldOptions): object | null {
  const range = [shard, from, to];
  if (event !== undefined) {
    if (range.some((part) => part !== undefined)) {
      throw new CliError('wrong_usage', 'Name --event, or --shard, --from and --to, not both.');
    }
    return { eventId: event };
  }
  if (range.every((part) => part === undefined)) {
    if (lift === true || reason !== undefined) {
      throw new CliError('wrong_usage', 'Name what to hold: --event, or --shard, --from and --to.');
    }
    return null;
  }
  const [ofShard, fromSeq, toSeq] = range.map((part) => (part === undefined ? NaN : Number(part)));
  if (![ofShard, fromSeq, toSeq].every(Number.isSafeInteger)) {
    throw new CliError('wrong_usage', 'A range needs --shard, --from and --to, each a whole number.');
  }
  return { shard: ofShard, fromSeq, toSeq };
}
