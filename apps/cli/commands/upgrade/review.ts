import { type Command } from 'commander';
import { csvLine } from '#evidence';
import { type ReviewedUpgrade, type UpgradeReview } from '#openapi/kernel';
import { CliError } from '../../cli.error';
import { print, say, table } from '../../output/print';
import { shown } from '../../output/shown';
import { type CallOptions, reading, withClient, withQuery } from '../api-calls';

type ReviewOptions = CallOptions & {
  from: string;
  to: string;
  through?: string;
  person?: string;
  type?: string;
  status?: string;
  csv?: true;
};

/** The longest page of the report (openapi/kernel.yaml). */
const PAGE = '100';

export function addReview(upgrade: Command): void {
  reading(upgrade.command('review'))
    .summary('report who proposed, decided and applied what in a period')
    .description(
      [
        'Reports on every upgrade to which something happened in a period, as the chain had it at its end. The report goes up to a',
        'position; with that as --through the same report comes out again. With --json one upgrade a line, with --csv one act',
        'of somebody a line.',
      ].join(' '),
    )
    .requiredOption('--from <time>', 'the period begins here: a day of UTC, or an RFC 3339 time')
    .requiredOption('--to <time>', 'and ends before this')
    .option('--through <position>', 'up to this position of the chain, as an earlier report says')
    .option('--person <name>', 'upgrades in which this approver, or this caller, has a part')
    .option('--type <type>', 'upgrades of one type, such as code')
    .option('--status <status>', 'upgrades with this status at the end of the report')
    .option('--csv', 'a line for each act, for a spreadsheet')
    .action(async (options: ReviewOptions) => {
      if (options.csv === true && options.json === true)
        throw new CliError('wrong_usage', 'Say --csv or --json, not both.');
      await review(options);
    });
}

async function review(options: ReviewOptions): Promise<void> {
  const { person, type, status, csv, json } = options;
  const question = { from: timeOf(options.from), to: timeOf(options.to), person, type, status, limit: PAGE };
  let { through } = options;
  let counts: UpgradeReview['counts'] | null = null;
  let first: UpgradeReview | null = null;
  if (csv === true) print(csvLine(ACT_COLUMNS));
  await withClient(options, async (client) => {
    for (let cursor: string | undefined; ;) {
      const answer = await client.get(withQuery('/kernel/review', { ...question, through, cursor }));
      const page = (csv === true || json === true ? JSON.parse(answer) : shown(answer)) as UpgradeReview;
      first ??= page;
      through = page.through.position;
      counts = counts === null ? page.counts : sum(counts, page.counts);
      for (const one of page.upgrades) {
        if (json === true) print(JSON.stringify(one));
        else if (csv === true) for (const line of actLines(one, page)) print(line);
      }
      if (json !== true && csv !== true && page.upgrades.length > 0) print(table(page.upgrades.map(rowOf)));
      if (page.nextCursor === null) return;
      cursor = page.nextCursor;
    }
  });
  if (first === null || counts === null) return;
  if (json !== true && csv !== true) print(['', ...countLines(counts)].join('\n'));
  for (const line of sourceLines(first)) say(line);
}

const DAY = /^\d{4}-\d\d-\d\d$/;

/** A day begins at midnight of UTC. */
function timeOf(typed: string): string {
  return DAY.test(typed) ? `${typed}T00:00:00Z` : typed;
}

function sum(one: UpgradeReview['counts'], other: UpgradeReview['counts']): UpgradeReview['counts'] {
  const names = Object.keys(one) as (keyof UpgradeReview['counts'])[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as UpgradeReview['counts'];
}

function rowOf({ upgradeId, type, status, proposedBy, application, emergency, separation }: ReviewedUpgrade) {
  const { decidedOwn, appliedByProposer, appliedByApprovers } = separation;
  const duties = [
    ...(decidedOwn.length > 0 ? [`signed about their own: ${decidedOwn.join(' ')}`] : []),
    ...(appliedByProposer ? ['applied by the proposer'] : []),
    ...(appliedByApprovers.length > 0 ? [`applied by ${appliedByApprovers.join(' ')}, who counted`] : []),
  ];
  return {
    id: upgradeId,
    type,
    status,
    proposed: proposedBy,
    counted: application?.approvers.join(' ') ?? '',
    applied: application === null ? '' : `${application.by} ${application.at}`,
    emergency: emergency?.outcome ?? '',
    duties: duties.join('; '),
  };
}

function countLines(counts: UpgradeReview['counts']): string[] {
  const words: readonly (readonly [keyof UpgradeReview['counts'], string])[] = [
    ['upgrades', 'upgrades to which something happened'],
    ['proposed', 'proposed'],
    ['applied', 'applied with a quorum'],
    ['emergencies', 'applied in an emergency'],
    ['ratified', 'ratified'],
    ['ratificationsRejected', 'whose ratification was rejected'],
    ['unratified', 'not ratified in time'],
    ['rejected', 'rejected'],
    ['withdrawn', 'withdrawn'],
    ['expired', 'expired'],
    ['completed', 'completed'],
    ['failed', 'failed'],
    ['rolledBack', 'rolled back'],
    ['refusedSignatures', 'signatures refused'],
    ['decidedOwn', 'with a signature of somebody who had proposed or applied it'],
    ['appliedByProposer', 'applied by who had proposed it'],
    ['appliedByApprovers', 'applied by one of those who counted for it'],
  ];
  return words.map(([name, what]) => `${String(counts[name]).padStart(8)}  ${what}`);
}

function sourceLines({ origin, period, through, closed }: UpgradeReview): string[] {
  return [
    `${origin}, ${period.from} up to ${period.to}, through ${through.position}${through.hash === null ? '' : ` (${through.hash})`}`,
    closed
      ? 'the period is over in the chain: the same report comes out for ever'
      : `the period is not over in the chain; --through ${through.position} makes the same report again`,
  ];
}

const ACT_COLUMNS = [
  'time',
  'position',
  'event',
  'type',
  'upgrade',
  'upgrade_type',
  'by',
  'claimed_by',
  'approver',
  'key',
  'text',
  'in_period',
  'report_origin',
  'report_from',
  'report_to',
  'report_through',
  'report_through_hash',
];

/** The report is on every line: a line that is copied elsewhere still says where it comes from. */
function actLines(
  { upgradeId, type, acts }: ReviewedUpgrade,
  { origin, period, through }: UpgradeReview,
): string[] {
  const source = [origin, period.from, period.to, through.position, through.hash ?? ''];
  return acts.map((act) =>
    csvLine([
      act.at,
      act.position,
      act.eventId,
      act.type,
      upgradeId,
      type,
      act.by,
      act.claimedBy ?? '',
      act.approverId ?? '',
      act.keyId ?? '',
      act.text ?? '',
      act.inPeriod ? 'yes' : 'no',
      ...source,
    ]),
  );
}
