import { Group, Stack, Text } from '@mantine/core';
import { useQueries, useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { type UpgradeSummary, upgradeQuery, upgradesQuery } from '../../api/queries';
import { Empty, Failure, Loading } from '../../parts/states';
import { Age } from '../../parts/times';
import { permitted, useSession } from '../../session/session';
import { Panel } from './panel';
import { UpgradeLink } from '../../parts/upgrade-link';

/** Most upgrades that are looked at one by one: whether somebody has signed is in each alone. */
const MOST_LOOKED_AT = 10;

interface Item {
  readonly upgrade: UpgradeSummary;
  readonly what: string;
  readonly until: string | null;
}

/** What somebody has to do next: to decide, to ratify, to apply. */
export function WaitsForMe(): ReactNode {
  const { approverId, ...session } = useSession();
  const applies = permitted({ approverId, ...session }, 'upgrade.apply') !== false;
  const proposed = useQuery(upgradesQuery('proposed'));
  const approved = useQuery({ ...upgradesQuery('approved'), enabled: applies });
  const emergencies = useQuery(upgradesQuery('emergency_applied'));
  const toDecide = [...(emergencies.data?.upgrades ?? []), ...(proposed.data?.upgrades ?? [])];
  const looked = toDecide.slice(0, approverId === null ? 0 : MOST_LOOKED_AT);
  const details = useQueries({ queries: looked.map(({ upgradeId }) => upgradeQuery(upgradeId)) });

  const items: Item[] = details.flatMap(({ data }) => {
    if (data === undefined || approverId === null || !data.upgrade.quorum.open.includes(approverId))
      return [];
    const { upgrade } = data;
    const isEmergency = upgrade.status === 'emergency_applied';
    return [
      isEmergency
        ? { upgrade, what: 'Ratify or reject', until: upgrade.ratifyBy }
        : { upgrade, what: 'Approve or reject', until: upgrade.expiresAt },
    ];
  });
  for (const upgrade of applies ? (approved.data?.upgrades ?? []) : []) {
    items.push({ upgrade, what: 'Apply: its quorum is reached', until: upgrade.expiresAt });
  }
  const error = proposed.error ?? approved.error ?? emergencies.error;
  const isLoading =
    proposed.isLoading || approved.isLoading || emergencies.isLoading || details.some((one) => one.isLoading);
  return (
    <Panel title="Waits for you">
      {isLoading && <Loading what="Looking for upgrades" />}
      {!isLoading && error !== null && <Failure error={error} />}
      {!isLoading && error === null && items.length === 0 && (
        <Empty title="Nothing">
          {approverId === null && !applies
            ? 'You are no approver, and your role applies no upgrades.'
            : 'No upgrade needs you at the moment.'}
        </Empty>
      )}
      <Stack gap="xs" component="ul" m={0} p={0} className="plain-list">
        {items.map(({ upgrade, what, until }) => (
          <li key={upgrade.upgradeId}>
            <Group justify="space-between" gap="sm">
              <Text className="breaks">
                {what}: <UpgradeLink id={upgrade.upgradeId} /> ({upgrade.type})
              </Text>
              {until !== null && (
                <Text size="sm" c="dimmed">
                  ends <Age at={until} />
                </Text>
              )}
            </Group>
          </li>
        ))}
      </Stack>
      {approverId !== null && toDecide.length > MOST_LOOKED_AT && (
        <Text size="sm" mt="xs">
          And up to {toDecide.length - MOST_LOOKED_AT} more.
        </Text>
      )}
    </Panel>
  );
}
