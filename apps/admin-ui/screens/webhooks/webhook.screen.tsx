import '../operations/operations.css';
import { Alert, Card, Group, NativeSelect, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { type components } from '#openapi/kernel';
import { answered, api } from '../../api/client';
import { ApiProblem } from '../../api/problem';
import { CursorPaging, DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { StateWord } from '../../parts/state-word';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { permitted, useSession, whyNot } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { AskedButton } from '../operations/asked';
import { Recorded } from '../operations/command-state';
import { Confirmation } from '../operations/confirmation';
import { DeliveryState } from '../operations/delivery-cells';
import { oneOf } from '../operations/read-search';
import { Section } from '../operations/section';
import { useCommand } from '../../api/use-command';
import { filterText } from './filter-text';
import { SecretOnce } from './secret-once';
import { deliveriesQuery, type FailedDelivery, type Webhook, webhookQuery } from './webhook-queries';

const route = getRouteApi('/webhooks/$webhookId');

export function WebhookScreen(): ReactNode {
  return (
    <Permitted action="webhook.read" title="Webhook">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const { webhookId } = route.useParams();
  const query = useQuery(webhookQuery(webhookId));
  const isGone = query.error instanceof ApiProblem && query.error.status === 404;
  return (
    <>
      <PageTitle>Webhook</PageTitle>
      {isGone && query.data === undefined ? (
        <Empty title="There is no such webhook">
          <Text span inherit>
            It may have been removed: <PageLink to="/webhooks">those that there are</PageLink>.
          </Text>
        </Empty>
      ) : (
        <Loaded query={query} what="Reading the webhook">
          {(webhook) => (
            <Stack gap="xl">
              <Facts webhook={webhook} />
              <Deliveries webhook={webhook} />
              <State webhook={webhook} />
              <Secret webhook={webhook} />
              <Removal webhook={webhook} />
            </Stack>
          )}
        </Loaded>
      )}
    </>
  );
}

function Facts({ webhook }: { webhook: Webhook }): ReactNode {
  const reads = permitted(useSession(), 'audit.read') === 'all';
  const { id, url, description, status, filter, secret, createdAt, createdBy, updatedAt, updatedBy } =
    webhook;
  return (
    <Card withBorder>
      <dl className="facts">
        <dt>Address</dt>
        <dd>{visibleText(url)}</dd>
        {description !== null && (
          <>
            <dt>Description</dt>
            <dd>{visibleText(description)}</dd>
          </>
        )}
        <dt>State</dt>
        <dd>
          <StateWord colour={status === 'active' ? 'teal' : 'gray'}>{status}</StateWord>
        </dd>
        <dt>Is sent</dt>
        <dd>{visibleText(filterText(filter))}</dd>
        <dt>Secret</dt>
        <dd>
          version {secret.version}, since <Time at={secret.since} />
          {secret.previousUntil !== null && (
            <>
              ; the one before signs as well until <Time at={secret.previousUntil} />
            </>
          )}
        </dd>
        <dt>Added</dt>
        <dd>
          <Time at={createdAt} /> by {visibleText(createdBy)}
        </dd>
        {updatedAt !== createdAt && (
          <>
            <dt>Changed</dt>
            <dd>
              <Time at={updatedAt} /> by {visibleText(updatedBy)}
            </dd>
          </>
        )}
        <dt>Id</dt>
        <dd className="mono">
          {reads ? (
            <PageLink to="/audit" search={{ stream: `webhook/${id}` }}>
              {id}
            </PageLink>
          ) : (
            id
          )}
        </dd>
      </dl>
      {secret.rotate && (
        <Alert color="orange" role="note" mt="md" title="Rotate the secret">
          It comes from a row key that is being replaced, or is gone.
        </Alert>
      )}
    </Card>
  );
}

function Deliveries({ webhook: { id } }: { webhook: Webhook }): ReactNode {
  const { state: asked, cursor } = route.useSearch();
  const state = oneOf(asked, ['pending', 'dead'] as const);
  const navigate = useNavigate();
  const query = useQuery(deliveriesQuery(id, state, cursor));
  const may = whyNot(useSession(), 'webhook.manage');
  const command = useCommand(
    (eventIds: readonly string[] | null, key) =>
      answered(
        api.POST('/kernel/webhooks/{webhookId}/redeliver', {
          params: { path: { webhookId: id }, header: { 'Idempotency-Key': key } },
          body: eventIds === null ? {} : { eventIds: [...eventIds] },
        }),
      ),
    { touches: [['webhooks', 'deliveries', id]] },
  );
  const go = (part: { state?: string | undefined; cursor?: string | undefined }) =>
    void navigate({
      to: '/webhooks/$webhookId',
      params: { webhookId: id },
      search: {
        ...(part.state !== undefined && part.state !== '' && { state: part.state }),
        ...(part.cursor !== undefined && { cursor: part.cursor }),
      },
    });
  const again = ({ eventId, type }: FailedDelivery) => (
    <AskedButton
      label="Send again"
      title={`Send ${type} again?`}
      effects={['It keeps its id, by which the receiver knows whether it has had it.']}
      command={command}
      body={[eventId]}
    />
  );
  return (
    <Section title="What it has not taken">
      <Stack gap="sm">
        <Group align="flex-end">
          <NativeSelect
            label="Show"
            data={[
              { value: '', label: 'all that failed' },
              { value: 'pending', label: 'tried again' },
              { value: 'dead', label: 'given up (dead letters)' },
            ]}
            value={state ?? ''}
            onChange={({ currentTarget: { value } }) => go({ state: value })}
          />
          <AskedButton
            label="Send all dead letters again"
            title="Send all dead letters again?"
            effects={['Every event that was given up is sent again, with all attempts before it.']}
            why={may}
            size="sm"
            command={command}
            body={null}
          />
        </Group>
        {command.data !== undefined && (
          <Recorded
            title={
              command.data.eventIds === null
                ? 'All dead letters are on their way'
                : `${command.data.eventIds.length === 1 ? 'The event is' : 'The events are'} on the way`
            }
            position={command.data.position}
          />
        )}
        <Loaded query={query} what="Reading what failed">
          {({ deliveries, nextCursor }) =>
            deliveries.length === 0 ? (
              <Empty title="Nothing">What was delivered, and what was not tried yet, is not listed.</Empty>
            ) : (
              <>
                <DataTable
                  caption="Events that the webhook has not taken, newest first"
                  rows={deliveries}
                  keyOf={({ eventId }) => eventId}
                  columns={[
                    {
                      title: 'Event',
                      cell: ({ eventId, type, createdAt }) => (
                        <>
                          <PageLink to="/audit/$id" params={{ id: eventId }} className="breaks" fw={600}>
                            {type}
                          </PageLink>
                          <Text size="xs" c="dimmed">
                            <Time at={createdAt} />
                          </Text>
                        </>
                      ),
                    },
                    {
                      title: 'State',
                      cell: ({ diedAt, ...delivery }) => <DeliveryState {...delivery} settledAt={diedAt} />,
                    },
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
                  what="event"
                  go={(next) => go({ state, cursor: next })}
                />
              </>
            )
          }
        </Loaded>
      </Stack>
    </Section>
  );
}

function State({ webhook: { id, status } }: { webhook: Webhook }): ReactNode {
  const may = whyNot(useSession(), 'webhook.manage');
  const to = status === 'active' ? 'paused' : 'active';
  const command = useCommand(
    (body: components['schemas']['WebhookChange'], key) =>
      answered(
        api.POST('/kernel/webhooks/{webhookId}', {
          params: { path: { webhookId: id }, header: { 'Idempotency-Key': key } },
          body,
        }),
      ),
    { touches: [['webhooks']] },
  );
  return (
    <Section title={status === 'active' ? 'Pause' : 'Resume'}>
      <Stack gap="sm" align="flex-start">
        <AskedButton
          label={status === 'active' ? 'Pause it' : 'Resume it'}
          title={status === 'active' ? 'Pause the webhook?' : 'Resume the webhook?'}
          effects={
            status === 'active'
              ? [
                  'Nothing is sent until it is resumed.',
                  'It keeps its place: what comes meanwhile is sent then.',
                ]
              : ['What came while it was paused is sent, and what comes.']
          }
          why={may}
          size="sm"
          command={command}
          body={{ status: to }}
        />
        {command.data !== undefined && (
          <Recorded
            title={command.data.status === 'active' ? 'It is active' : 'It is paused'}
            position={command.data.position}
            auditId={command.data.audit_id}
          />
        )}
      </Stack>
    </Section>
  );
}

const OVERLAPS = [
  { value: '86400', label: 'for a day' },
  { value: '3600', label: 'for an hour' },
  { value: '604800', label: 'for a week' },
  { value: '0', label: 'not at all: it ends at once' },
];

function Secret({ webhook: { id } }: { webhook: Webhook }): ReactNode {
  const may = whyNot(useSession(), 'webhook.manage');
  const [overlap, setOverlap] = useState('86400');
  const command = useCommand(
    (body: { overlapSeconds: number }, key) =>
      answered(
        api.POST('/kernel/webhooks/{webhookId}/rotate-secret', {
          params: { path: { webhookId: id }, header: { 'Idempotency-Key': key } },
          body,
        }),
      ),
    { touches: [['webhooks', 'one', id]] },
  );
  return (
    <Section title="Another secret">
      {command.data !== undefined ? (
        <Stack gap="sm">
          <Recorded
            title="It has another secret"
            position={command.data.position}
            auditId={command.data.audit_id}
          />
          <SecretOnce secret={command.data.signingSecret} />
        </Stack>
      ) : may !== null ? (
        <Text c="dimmed">{may}</Text>
      ) : (
        <Stack gap="md">
          <NativeSelect
            label="The present secret signs as well"
            maw={320}
            data={OVERLAPS}
            value={overlap}
            onChange={({ currentTarget: { value } }) => setOverlap(value)}
          />
          <Confirmation
            effects={[
              'The webhook gets another secret, shown once; the receiver has to be given it.',
              overlap === '0'
                ? 'Its present secret signs nothing from then on: until the receiver has the new one, it refuses what it is sent.'
                : 'Until the present secret ends, each delivery is signed by both; an older one signs nothing from then on.',
            ]}
            words="give it another secret"
            label="Rotate the secret"
            fresh
            pending={command.isPending}
            error={command.error}
            run={() => command.mutate({ overlapSeconds: Number(overlap) })}
          />
        </Stack>
      )}
    </Section>
  );
}

function Removal({ webhook: { id, url } }: { webhook: Webhook }): ReactNode {
  const may = whyNot(useSession(), 'webhook.manage');
  const navigate = useNavigate();
  const command = useCommand(
    (_: object, key) =>
      answered(
        api.POST('/kernel/webhooks/{webhookId}/remove', {
          params: { path: { webhookId: id }, header: { 'Idempotency-Key': key } },
          body: {},
        }),
      ),
    { touches: [['webhooks', 'all']], done: () => void navigate({ to: '/webhooks' }) },
  );
  return (
    <Section title="Remove">
      {may !== null ? (
        <Text c="dimmed">{may}</Text>
      ) : (
        <Confirmation
          effects={[
            `Nothing more is sent to ${url}, and its secret cannot be had again.`,
            'Events that it did not take yet, and its dead letters, are not delivered; they stay in the chain.',
            'It cannot be taken back: another subscription begins with the events after it.',
          ]}
          words={`remove ${URL.canParse(url) ? new URL(url).host : id}`}
          label="Remove the webhook"
          pending={command.isPending}
          error={command.error}
          run={() => command.mutate({})}
        />
      )}
    </Section>
  );
}
