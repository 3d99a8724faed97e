import { Alert, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { useConnection, useOnline } from '../api/connection';
import { modeQuery, statusQuery, upgradesQuery } from '../api/queries';
import { Age, Time } from '../parts/times';
import { permitted, useSession } from '../session/session';
import { UpgradeLink } from '../parts/upgrade-link';

/** What stands on every page as long as it holds. */
export function Banners(): ReactNode {
  return (
    <Stack gap="xs" mb="md" component="aside" aria-label="Notices">
      <OfflineBanner />
      <ModeBanner />
      <EmergencyBanner />
    </Stack>
  );
}

function OfflineBanner(): ReactNode {
  const online = useOnline();
  const { answers, answeredAt } = useConnection();
  if (online && answers) return null;
  return (
    <Alert color="yellow" role="status" title={online ? 'The kernel does not answer' : 'You are offline'}>
      <Text size="sm">
        {answeredAt === null ? (
          'Nothing was read yet.'
        ) : (
          <>
            What you see was read before <Time at={new Date(answeredAt).toISOString()} />.
          </>
        )}{' '}
        It goes on by itself; nothing that you do now is recorded.
      </Text>
    </Alert>
  );
}

const MODE_TITLES = { 'read-only': 'The kernel is read-only', 'safe-mode': 'The kernel is in safe mode' };
const MODE_TEXTS = {
  'read-only': 'Nothing can be recorded, signed or decided; everything can be read.',
  'safe-mode':
    'Nothing can be recorded, signed or decided until the kernel is looked after; everything can be read.',
};

function ModeBanner(): ReactNode {
  const session = useSession();
  const { data: status } = useQuery(statusQuery);
  const told = useConnection().mode;
  const mode = told ?? status?.mode ?? 'normal';
  const mayAsk = permitted(session, 'mode.manage') !== false;
  const { data: state } = useQuery({ ...modeQuery, enabled: mayAsk && mode !== 'normal' });
  if (mode === 'normal') return null;
  const isCurrent = status?.mode === mode;
  return (
    <Alert color={mode === 'safe-mode' ? 'red' : 'orange'} role="alert" title={MODE_TITLES[mode]}>
      <Text size="sm">
        {MODE_TEXTS[mode]}
        {isCurrent && (
          <>
            {' '}
            Since <Time at={status.modeSince} /> (<Age at={status.modeSince} />
            ).
          </>
        )}
        {status?.restoring === true &&
          ' The store is being rebuilt from the archive: what is read is not everything yet.'}
        {state !== undefined && state.mode === mode && ` Reason: ${state.reason}`}
      </Text>
    </Alert>
  );
}

function EmergencyBanner(): ReactNode {
  const session = useSession();
  const mayRead = permitted(session, 'upgrade.read') !== false;
  const { data } = useQuery({ ...upgradesQuery('emergency_applied'), enabled: mayRead });
  const open = data?.upgrades ?? [];
  if (open.length === 0) return null;
  return (
    <Alert
      color="red"
      role="alert"
      title={
        open.length === 1 ? 'An emergency is not ratified' : `${open.length} emergencies are not ratified`
      }
    >
      <Stack gap={2}>
        {open.slice(0, 3).map((upgrade) => (
          <Text size="sm" key={upgrade.upgradeId} className="breaks">
            <UpgradeLink id={upgrade.upgradeId} /> was applied without a quorum and is in force.
            {upgrade.ratifyBy !== null && (
              <>
                {' '}
                Approvers have to ratify it by <Time at={upgrade.ratifyBy} /> (<Age at={upgrade.ratifyBy} />
                ).
              </>
            )}
          </Text>
        ))}
        {open.length > 3 && <Text size="sm">And {open.length - 3} more.</Text>}
      </Stack>
    </Alert>
  );
}
