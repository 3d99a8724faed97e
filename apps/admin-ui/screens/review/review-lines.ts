import { csvLine } from '#evidence';
import { type Act, type Report, type Reviewed } from './report';

const BETWEEN = ' | ';

function signatures({ acts }: Reviewed, type: string): string {
  return acts
    .filter((act) => act.type === type)
    .map(
      ({ approverId, keyId, at, text }) =>
        `${approverId ?? ''} [${keyId ?? ''}] ${at}${text === null ? '' : `: ${text}`}`,
    )
    .join(BETWEEN);
}

const eventOf = ({ type, position, eventId }: Act) => `${type} ${position} ${eventId}`;
const yesNo = (holds: boolean) => (holds ? 'yes' : 'no');

type Column = readonly [name: string, of: (upgrade: Reviewed, report: Report) => string | number];

/** The report is on every line: a line that is copied elsewhere still says where it comes from. */
const COLUMNS: readonly Column[] = [
  ['upgrade', ({ upgradeId }) => upgradeId],
  ['type', ({ type }) => type],
  ['change', ({ change }) => change],
  ['rationale', ({ rationale }) => rationale],
  ['manifest_sha256', ({ manifestSha256 }) => manifestSha256],
  ['status', ({ status }) => status],
  ['reason', ({ reason }) => reason ?? ''],
  ['proposed_at', ({ proposedAt }) => proposedAt],
  ['proposed_by', ({ proposedBy }) => proposedBy],
  ['proposed_for', ({ submittedBy }) => submittedBy],
  ['approvals', (upgrade) => signatures(upgrade, 'upgrade.approval_given')],
  ['rejections', (upgrade) => signatures(upgrade, 'upgrade.rejection_given')],
  ['ratifications', (upgrade) => signatures(upgrade, 'upgrade.ratification_given')],
  ['refused_signatures', (upgrade) => signatures(upgrade, 'upgrade.approval_refused')],
  ['applied_at', ({ application }) => application?.at ?? ''],
  ['applied_by', ({ application }) => application?.by ?? ''],
  ['applied_for', ({ application }) => application?.claimedBy ?? ''],
  ['counted', ({ application }) => application?.approvers.join(' ') ?? ''],
  ['required', ({ application }) => application?.required ?? ''],
  ['seconds_from_proposal', ({ application }) => application?.secondsFromProposal ?? ''],
  ['emergency', ({ emergency }) => yesNo(emergency !== null)],
  ['emergency_reason', ({ emergency }) => emergency?.reason ?? ''],
  ['ratify_by', ({ emergency }) => emergency?.ratifyBy ?? ''],
  ['emergency_outcome', ({ emergency }) => emergency?.outcome ?? ''],
  ['emergency_ended_at', ({ emergency }) => emergency?.endedAt ?? ''],
  ['decided_own', ({ separation }) => separation.decidedOwn.join(' ')],
  ['applied_by_proposer', ({ separation }) => yesNo(separation.appliedByProposer)],
  ['applied_by_approvers', ({ separation }) => separation.appliedByApprovers.join(' ')],
  ['events', ({ acts }) => acts.map(eventOf).join(BETWEEN)],
  ['report_origin', (_, { origin }) => origin],
  ['report_from', (_, { period }) => period.from],
  ['report_to', (_, { period }) => period.to],
  ['report_through', (_, { through }) => through.position],
  ['report_through_hash', (_, { through }) => through.hash ?? ''],
  ['report_final', (_, { closed }) => yesNo(closed)],
  ['report_complete', (_, { isCut }) => yesNo(!isCut)],
];

/** The report as CSV, a line an upgrade, in which nothing is run by a spreadsheet. */
export function reviewLines(report: Report): string {
  const lines = [
    csvLine(COLUMNS.map(([name]) => name)),
    ...report.upgrades.map((upgrade) => csvLine(COLUMNS.map(([, of]) => of(upgrade, report)))),
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

/** `review-2026-01-01-2026-03-31.csv`; a file that is cut says so in its name. */
export function fileName({ period, upgrades, isCut }: Report): string {
  const last = new Date(Date.parse(period.to) - 1).toISOString().slice(0, 10);
  return `review-${period.from.slice(0, 10)}-${last}${isCut ? `-first-${upgrades.length}` : ''}.csv`;
}
