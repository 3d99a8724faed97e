import { Alert, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { type SecurityStatus, statusQuery } from '../../api/queries';
import { DataTable } from '../../parts/cursor-table';
import { Digest } from '../../parts/digest';
import { PageTitle } from '../../parts/page-title';
import { Loaded } from '../../parts/states';
import { StateWord } from '../../parts/state-word';
import { Age, Time } from '../../parts/times';
import { permitted, useSession } from '../../session/session';
import { Charts } from './charts';
import { Panel } from './panel';
import { ReadSide } from './read-side';
import { WaitsForMe } from './waits-for-me';

export function OverviewScreen(): ReactNode {
  const session = useSession();
  const query = useQuery(statusQuery);
  return (
    <>
      <PageTitle>Overview</PageTitle>
      {session.roleless !== null && session.approverId === null && (
        <Alert color="yellow" title="You have no role here" mb="md" role="note">
          {session.roleless} You see what everyone may see.
        </Alert>
      )}
      <Stack gap="md">
        {permitted(session, 'upgrade.read') !== false && <WaitsForMe />}
        <Loaded query={query} what="Asking the kernel">
          {(status) => (
            <Stack gap="md">
              <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
                <KernelPanel status={status} />
                <SigningPanel status={status} />
              </SimpleGrid>
              <Panel title="The chain">
                <DataTable
                  caption="The last event of each shard"
                  rows={status.heads}
                  keyOf={({ shard }) => String(shard)}
                  columns={[
                    { title: 'Shard', cell: ({ shard }) => shard },
                    { title: 'Events', isNumber: true, cell: ({ seq }) => seq.toLocaleString('en') },
                    {
                      title: 'Last recorded',
                      cell: ({ ts }) => (ts === null ? 'nothing yet' : <Age at={ts} />),
                    },
                    {
                      title: 'Hash of the last event',
                      isExtra: true,
                      cell: ({ hash, shard }) => (
                        <Digest value={hash} what={`the head hash of shard ${shard}`} />
                      ),
                    },
                  ]}
                />
              </Panel>
              {permitted(session, 'audit.read') === 'all' && <ReadSide heads={status.heads} />}
            </Stack>
          )}
        </Loaded>
        <Charts />
      </Stack>
    </>
  );
}

const MODE_COLOURS = { normal: 'teal', 'read-only': 'orange', 'safe-mode': 'red' };

function KernelPanel({ status }: { status: SecurityStatus }): ReactNode {
  return (
    <Panel title="The kernel">
      <dl className="facts">
        <dt>Name</dt>
        <dd>{status.origin}</dd>
        <dt>Mode</dt>
        <dd>
          <StateWord colour={MODE_COLOURS[status.mode]}>{status.mode}</StateWord> since{' '}
          <Time at={status.modeSince} />
        </dd>
        {status.adminUi !== null && (
          <>
            <dt>These pages</dt>
            <dd>
              <Digest value={status.adminUi.sha256} what="the digest of these pages" />
            </dd>
          </>
        )}
      </dl>
    </Panel>
  );
}

function SigningPanel({ status: { signing, signers } }: { status: SecurityStatus }): ReactNode {
  const active = signers.filter(({ status }) => status === 'active');
  const detail = 'detail' in signing && typeof signing.detail === 'string' ? signing.detail : null;
  return (
    <Panel title="Signing">
      <Stack gap="sm">
        <Text>
          <StateWord colour={signing.ok ? 'teal' : 'red'}>{signing.ok ? 'signs' : 'does not sign'}</StateWord>
          {detail !== null && ` ${detail}`}
        </Text>
        <dl className="facts">
          {active.map(({ signer_kid: kid, purposes, deployedAt }) => (
            <FactRow key={kid} term={purposes.join(', ')}>
              <span className="mono breaks">{kid}</span>
              <Text size="xs" c="dimmed">
                since <Time at={deployedAt} />
              </Text>
            </FactRow>
          ))}
        </dl>
      </Stack>
    </Panel>
  );
}

function FactRow({ term, children }: { term: string; children: ReactNode }): ReactNode {
  return (
    <>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </>
  );
}
