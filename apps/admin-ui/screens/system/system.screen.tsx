import { Alert, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { modeQuery, type SecurityStatus, statusQuery } from '../../api/queries';
import { Digest } from '../../parts/digest';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { StateWord } from '../../parts/state-word';
import { Loaded } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { permitted, useSession, whyNot } from '../../session/session';
import { Section } from '../operations/section';
import { Panel } from '../overview/panel';
import { ReadSide } from '../overview/read-side';
import { MODE_COLOURS } from './mode-words';

export function SystemScreen(): ReactNode {
  const session = useSession();
  const query = useQuery(statusQuery);
  return (
    <>
      <PageTitle>System</PageTitle>
      <Loaded query={query} what="Asking the kernel">
        {(status) => (
          <Stack gap="lg">
            <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
              <ModePanel status={status} />
              <ReadinessPanel status={status} />
            </SimpleGrid>
            {permitted(session, 'audit.read') === 'all' && (
              <Section title="What reads are made from">
                <ReadSide heads={status.heads} />
              </Section>
            )}
            {permitted(session, 'retention.read') !== false && (
              <Section title="Kept beyond retention">
                <Text>
                  <PageLink to="/system/legal-holds">Legal holds</PageLink> keep events in the archive, and
                  say how far the archive has followed.
                </Text>
              </Section>
            )}
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function ModePanel({ status }: { status: SecurityStatus }): ReactNode {
  const session = useSession();
  const navigate = useNavigate();
  const may = whyNot(session, 'mode.manage');
  const { data: state, error } = useQuery({ ...modeQuery, enabled: may === null });
  const known = state?.mode === status.mode ? state : undefined;
  const by = typeof known?.actor.id === 'string' ? known.actor.id : null;
  return (
    <Panel title="Mode">
      <Stack gap="md" align="flex-start">
        <dl className="facts">
          <dt>In force</dt>
          <dd>
            <StateWord colour={MODE_COLOURS[status.mode]}>{status.mode}</StateWord>
          </dd>
          <dt>Since</dt>
          <dd>
            <Time at={status.modeSince} /> (<Age at={status.modeSince} />)
          </dd>
          {known !== undefined && (
            <>
              <dt>By</dt>
              <dd>{by === null ? 'the kernel' : visibleText(by)}</dd>
              <dt>Why</dt>
              <dd>{visibleText(known.reason)}</dd>
            </>
          )}
          {may !== null && (
            <>
              <dt>By whom, and why</dt>
              <dd>
                {permitted(session, 'audit.read') === 'all' ? (
                  <PageLink to="/audit" search={{ stream: 'mode/kernel' }}>
                    what was recorded about it
                  </PageLink>
                ) : (
                  'shown to those who may change it'
                )}
              </dd>
            </>
          )}
        </dl>
        {error !== null && may === null && known === undefined && (
          <Text size="sm" role="status">
            By whom and why could not be read: {error.message}
          </Text>
        )}
        <WhyButton
          why={may ?? (status.restoring ? 'The store is being rebuilt: the replay ends the mode.' : null)}
          variant="default"
          onClick={() => void navigate({ to: '/system/mode' })}
        >
          Change the mode …
        </WhyButton>
      </Stack>
    </Panel>
  );
}

/** What the API says of readiness; the checks of each process are at its management port, for machines. */
function ReadinessPanel({
  status: { signing, restoring, heads, origin, adminUi },
}: {
  status: SecurityStatus;
}): ReactNode {
  const detail = 'detail' in signing && typeof signing.detail === 'string' ? signing.detail : null;
  return (
    <Panel title="Readiness">
      <Stack gap="sm">
        <dl className="facts">
          <dt>Kernel</dt>
          <dd>{origin}</dd>
          <dt>Signatures</dt>
          <dd>
            <StateWord colour={signing.ok ? 'teal' : 'red'}>
              {signing.ok ? 'available' : 'not available'}
            </StateWord>
            {detail !== null && <Text size="sm">{visibleText(detail)}</Text>}
          </dd>
          <dt>Store</dt>
          <dd>
            <StateWord colour={restoring ? 'red' : 'teal'}>
              {restoring ? 'being rebuilt' : 'complete'}
            </StateWord>
          </dd>
          <dt>Shards</dt>
          <dd>{heads.length}</dd>
          <dt>Events</dt>
          <dd className="numbers">{heads.reduce((sum, { seq }) => sum + seq, 0).toLocaleString('en')}</dd>
          {adminUi !== null && (
            <>
              <dt>These pages</dt>
              <dd>
                <Digest value={adminUi.sha256} what="the digest of these pages" />
              </dd>
            </>
          )}
        </dl>
        {restoring && (
          <Alert color="red" role="note" title="What is read is not everything yet">
            The store is being rebuilt from the archive.
          </Alert>
        )}
        <Text size="xs" c="dimmed">
          The checks of each process are at its management port (/ready), which these pages do not reach.
        </Text>
      </Stack>
    </Panel>
  );
}
