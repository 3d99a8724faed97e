import '../operations/operations.css';
import { NativeSelect, Stack, Text } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { type components } from '#openapi/kernel';
import { whileAttended } from '../../api/attention';
import { answered, api } from '../../api/client';
import { CursorPaging, DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { permitted, useSession, whyNot } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { AskedButton } from '../operations/asked';
import { Recorded } from '../operations/command-state';
import { DeliveryState } from '../operations/delivery-cells';
import { oneOf } from '../operations/read-search';
import { useCommand } from '../../api/use-command';

const route = getRouteApi('/notifications');
const EVERY_MS = 10_000;
const STATES = ['pending', 'delivered', 'dead'] as const;
type State = (typeof STATES)[number];
type Delivery = components['schemas']['NotificationPage']['deliveries'][number];

function notificationsQuery(state: State | undefined, cursor: string | undefined) {
  return queryOptions({
    queryKey: ['notifications', state, cursor],
    queryFn: ({ signal }) => {
      const query = { ...(state !== undefined && { state }), ...(cursor !== undefined && { cursor }) };
      return answered(api.GET('/kernel/admin/notifications', { params: { query }, signal }));
    },
    refetchInterval: whileAttended(EVERY_MS),
  });
}

export function NotificationsScreen(): ReactNode {
  return (
    <Permitted action="notification.read" title="Notifications">
      <Notifications />
    </Permitted>
  );
}

function Notifications(): ReactNode {
  const { state: asked, cursor } = route.useSearch();
  const state = oneOf(asked, STATES);
  const navigate = useNavigate();
  const session = useSession();
  const query = useQuery(notificationsQuery(state, cursor));
  const reads = permitted(session, 'audit.read') === 'all';
  const may = whyNot(session, 'notification.manage');
  const command = useCommand(
    ({ id, endpoint }: { id: string; endpoint: string }, key) =>
      answered(
        api.POST('/kernel/admin/notifications/{notificationId}/redeliver', {
          params: { path: { notificationId: id }, header: { 'Idempotency-Key': key } },
          body: { endpoint },
        }),
      ),
    { touches: [['notifications']] },
  );
  const go = (part: { state?: string | undefined; cursor?: string | undefined }) =>
    void navigate({
      to: '/notifications',
      search: {
        ...(part.state !== undefined && part.state !== '' && { state: part.state }),
        ...(part.cursor !== undefined && { cursor: part.cursor }),
      },
    });
  const again = ({ id, endpoint }: Delivery) => (
    <AskedButton
      label="Send again"
      title={`Send this notification to ${endpoint} again?`}
      effects={[
        'It is recorded in the chain, and sent with all attempts before it.',
        'It keeps its id, by which the receiver knows whether it has had it.',
      ]}
      command={command}
      body={{ id, endpoint }}
    />
  );
  return (
    <>
      <PageTitle>Notifications</PageTitle>
      <Stack gap="md">
        <Text c="dimmed">
          About upgrades, and what they need of people; sent to the endpoints that the kernel&rsquo;s
          configuration names (KERNEL_WEBHOOKS). Events of any type go to{' '}
          <PageLink to="/webhooks">webhooks</PageLink>.
        </Text>
        <NativeSelect
          label="Show"
          maw={280}
          data={[
            { value: '', label: 'all' },
            { value: 'pending', label: 'on their way' },
            { value: 'delivered', label: 'delivered in the last days' },
            { value: 'dead', label: 'given up' },
          ]}
          value={state ?? ''}
          onChange={({ currentTarget: { value } }) => go({ state: value })}
        />
        {command.data !== undefined && (
          <Recorded
            title={`On its way again to ${command.data.endpoints.join(', ')}`}
            position={command.data.position}
          />
        )}
        {may !== null && state === 'dead' && <Text size="sm">To send them again: {may}</Text>}
        <Loaded query={query} what="Reading the notifications">
          {({ deliveries, nextCursor }) =>
            deliveries.length === 0 ? (
              <Empty title={state === 'dead' ? 'None was given up' : 'There is none'}>
                They are made when something happens to an upgrade and an endpoint wants to know. Delivered
                ones are forgotten after seven days.
              </Empty>
            ) : (
              <>
                <DataTable
                  caption="Notifications, newest first"
                  rows={deliveries}
                  keyOf={({ id, endpoint }) => `${id} ${endpoint}`}
                  columns={[
                    {
                      title: 'Notification',
                      cell: ({ type, subject, createdAt }) => (
                        <>
                          <Text fw={600} size="sm" className="breaks">
                            {type}
                          </Text>
                          <Text size="xs" className="breaks">
                            {reads ? (
                              <PageLink to="/audit" search={{ stream: subject }}>
                                {visibleText(subject)}
                              </PageLink>
                            ) : (
                              visibleText(subject)
                            )}
                          </Text>
                          <Text size="xs" c="dimmed">
                            <Time at={createdAt} />
                          </Text>
                        </>
                      ),
                    },
                    { title: 'To', cell: ({ endpoint }) => visibleText(endpoint) },
                    { title: 'State', cell: (delivery) => <DeliveryState {...delivery} /> },
                    {
                      title: 'Send again',
                      cell: (delivery) => (delivery.state === 'dead' && may === null ? again(delivery) : '—'),
                    },
                  ]}
                />
                <CursorPaging
                  cursor={cursor}
                  nextCursor={nextCursor}
                  count={deliveries.length}
                  what="notification"
                  go={(next) => go({ state, cursor: next })}
                />
              </>
            )
          }
        </Loaded>
      </Stack>
    </>
  );
}
