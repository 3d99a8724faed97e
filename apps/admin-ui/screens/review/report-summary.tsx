import { Stack, Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { type Report } from './report';

type Counts = Report['counts'];
const COUNTS: readonly (readonly [keyof Counts, string])[] = [
  ['upgrades', 'Upgrades'],
  ['proposed', 'Proposed'],
  ['applied', 'Applied with quorum'],
  ['emergencies', 'Emergencies'],
  ['ratified', 'Ratified'],
  ['rejected', 'Rejected'],
  ['withdrawn', 'Withdrawn'],
  ['expired', 'Expired'],
  ['completed', 'Completed'],
  ['failed', 'Failed'],
  ['rolledBack', 'Rolled back'],
  ['refusedSignatures', 'Refused signatures'],
];

/** The counts of a report, and what they say of the separation of duties. */
export function ReportSummary({ report: { counts } }: { report: Report }): ReactNode {
  const { decidedOwn, unratified, ratificationsRejected, appliedByProposer, appliedByApprovers } = counts;
  const of = (count: number, one: string, many: string, none: string) =>
    count === 0 ? none : count === 1 ? `1 ${one}` : `${count} ${many}`;
  return (
    <Stack>
      <dl className="counts">
        {COUNTS.map(([name, label]) => (
          <div key={name}>
            <dt>{label}</dt>
            <dd className="numbers">{counts[name].toLocaleString('en')}</dd>
          </div>
        ))}
      </dl>
      <div>
        <Text component="h3" fw={600} m={0} mb={4}>
          Separation of duties
        </Text>
        <ul className="acts">
          <li>
            {of(
              decidedOwn,
              'upgrade has a signature of somebody who had proposed or applied it.',
              'upgrades have a signature of somebody who had proposed or applied them.',
              'Nobody signed about what they had proposed, or applied in an emergency.',
            )}
          </li>
          <li>
            {of(
              unratified,
              'emergency was not ratified in time.',
              'emergencies were not ratified in time.',
              'No emergency was left unratified beyond its time.',
            )}
          </li>
          {ratificationsRejected > 0 && (
            <li>
              {of(ratificationsRejected, 'ratification was rejected.', 'ratifications were rejected.', '')}
            </li>
          )}
          <li>
            {of(
              appliedByProposer,
              'upgrade was applied by who had proposed it.',
              'upgrades were applied by who had proposed them.',
              'No upgrade was applied by who had proposed it.',
            )}
          </li>
          <li>
            {of(
              appliedByApprovers,
              'upgrade was applied by one of those who counted for it.',
              'upgrades were applied by one of those who counted for them.',
              'No upgrade was applied by one of those who counted for it.',
            )}
          </li>
        </ul>
      </div>
    </Stack>
  );
}
