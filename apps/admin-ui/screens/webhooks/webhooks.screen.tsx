import { Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { StateWord } from '../../parts/state-word';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { useSession, whyNot } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { filterText } from './filter-text';
import { webhooksQuery } from './webhook-queries';

const MOST = 32;

export function WebhooksScreen(): ReactNode {
  return (
    <Permitted action="webhook.read" title="Webhooks">
      <Webhooks />
    </Permitted>
  );
}

function Webhooks(): ReactNode {
  const query = useQuery(webhooksQuery);
  const session = useSession();
  const navigate = useNavigate();
  const isFull = (query.data?.webhooks.length ?? 0) >= MOST;
  return (
    <>
      <PageTitle>Webhooks</PageTitle>
      <Stack gap="md">
        <Text c="dimmed">
          Each event that a webhook&rsquo;s filter lets through is sent to its address, signed with its
          secret.
        </Text>
        <Group>
          <WhyButton
            why={
              whyNot(session, 'webhook.manage') ?? (isFull ? `There are ${MOST}, which is the most.` : null)
            }
            onClick={() => void navigate({ to: '/webhooks/new' })}
          >
            Add a webhook …
          </WhyButton>
        </Group>
        <Loaded query={query} what="Reading the webhooks">
          {({ webhooks }) =>
            webhooks.length === 0 ? (
              <Empty title="There is none">Nobody is sent events.</Empty>
            ) : (
              <DataTable
                caption="Webhooks, oldest first"
                rows={webhooks}
                keyOf={({ id }) => id}
                columns={[
                  {
                    title: 'Webhook',
                    cell: ({ id, url, description }) => (
                      <>
                        <PageLink
                          to="/webhooks/$webhookId"
                          params={{ webhookId: id }}
                          className="breaks"
                          fw={600}
                        >
                          {visibleText(url)}
                        </PageLink>
                        {description !== null && (
                          <Text size="xs" c="dimmed" className="breaks">
                            {visibleText(description)}
                          </Text>
                        )}
                      </>
                    ),
                  },
                  {
                    title: 'State',
                    cell: ({ status, secret }) => (
                      <>
                        <StateWord colour={status === 'active' ? 'teal' : 'gray'}>{status}</StateWord>
                        {secret.rotate && <Text size="xs">rotate its secret</Text>}
                      </>
                    ),
                  },
                  { title: 'Is sent', cell: ({ filter }) => visibleText(filterText(filter)) },
                  { title: 'Changed', isExtra: true, cell: ({ updatedAt }) => <Time at={updatedAt} /> },
                ]}
              />
            )
          }
        </Loaded>
      </Stack>
    </>
  );
}
