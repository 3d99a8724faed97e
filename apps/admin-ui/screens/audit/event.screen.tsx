import { Button, Card, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { ApiProblem, told } from '../../api/problem';
import { type AuditEvent } from '../../api/queries';
import { CopyButton } from '../../parts/copy-button';
import { Digest } from '../../parts/digest';
import { Download } from '../../parts/download';
import { JsonView, RawText } from '../../parts/json-view';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { Permitted } from '../../shell/permitted';
import { ActorText } from './event-table';
import { eventAt, eventQuery, isUnpublished, receiptQuery } from './event-queries';
import { PageLink } from '../../parts/page-link';
import { Verification } from './verification/verification';

const route = getRouteApi('/audit/$id');

export function EventScreen(): ReactNode {
  return (
    <Permitted action="audit.read" title="Event">
      <EventPage />
    </Permitted>
  );
}

function EventPage(): ReactNode {
  const { id } = route.useParams();
  const query = useQuery(eventQuery(id));
  if (query.error instanceof ApiProblem && query.error.status === 404) {
    return (
      <>
        <PageTitle>Event</PageTitle>
        <Empty title="There is no event with this id">
          What belongs to another division is not shown to its neighbours either.
        </Empty>
      </>
    );
  }
  return (
    <Loaded query={query} what="Reading the event">
      {({ event, text }) => (
        <>
          <PageTitle aside={<Neighbours event={event} />}>{event.type}</PageTitle>
          <Stack gap="lg">
            <Card withBorder>
              <Facts event={event} />
            </Card>
            <Part title="Verification in this browser">
              <Verification event={event} text={text} />
            </Part>
            <Part title="Payload">
              <JsonView value={event.payload} what="Payload" />
            </Part>
            <Part title="Canonical bytes">
              <Text size="sm" c="dimmed" mb="xs">
                What was hashed and signed is made of these bytes, as the kernel sent them. To check them
                without this page:{' '}
                <span className="mono">node tools/audit-verify.js --event FILE --receipt FILE</span>.
              </Text>
              <RawText text={text} what="Canonical bytes">
                <Download text={text} name={`${event.id}.event.json`} type="application/json">
                  Download the event
                </Download>
              </RawText>
            </Part>
            <Part title="Published log">
              <Receipt id={event.id} />
            </Part>
          </Stack>
        </>
      )}
    </Loaded>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }): ReactNode {
  return (
    <section>
      <Text component="h2" fw={650} size="lg" m={0} mb="xs">
        {title}
      </Text>
      {children}
    </section>
  );
}

function Facts({ event }: { event: AuditEvent }): ReactNode {
  const { id, shard, seq, ts, stream, streamVersion, actor, correlationId, causationId, signerKid } = event;
  return (
    <dl className="facts">
      <dt>Time</dt>
      <dd>
        <Time at={ts} exact /> (<Age at={ts} />)
      </dd>
      <dt>Id</dt>
      <dd>
        <Group gap={6}>
          <span className="mono breaks">{id}</span> <CopyButton text={id} what="the id" />
        </Group>
      </dd>
      <dt>Position</dt>
      <dd>
        {shard}:{seq}
      </dd>
      <dt>Stream</dt>
      <dd>
        <PageLink to="/audit" search={{ stream }}>
          {visibleText(stream)}
        </PageLink>{' '}
        <Text span inherit c="dimmed">
          version {streamVersion}
        </Text>
      </dd>
      <dt>Actor</dt>
      <dd>
        <ActorText actor={actor} />{' '}
        <PageLink to="/audit" search={{ actor: actor.id }}>
          all by this actor
        </PageLink>
      </dd>
      {correlationId !== null && (
        <>
          <dt>Request</dt>
          <dd>
            <PageLink to="/audit" search={{ correlationId }} className="mono">
              {correlationId}
            </PageLink>
          </dd>
        </>
      )}
      {causationId !== null && (
        <>
          <dt>Caused by</dt>
          <dd>
            <PageLink to="/audit/$id" params={{ id: causationId }} className="mono">
              {causationId}
            </PageLink>
          </dd>
        </>
      )}
      <dt>Signed by</dt>
      <dd>
        <PageLink to="/audit" search={{ signerKid }} className="mono">
          {signerKid}
        </PageLink>
        {event.group.count > 1 && `, together with ${event.group.count - 1} others`}
      </dd>
      <dt>Hash</dt>
      <dd>
        <Digest value={event.hash} what="the hash" whole />
      </dd>
      <dt>Hash before</dt>
      <dd>
        <Digest value={event.prevHash} what="the hash of the event before" whole />
      </dd>
      <dt>Signature</dt>
      <dd>
        <Digest value={event.signature} what="the signature" whole />
      </dd>
    </dl>
  );
}

function Neighbours({ event: { shard, seq } }: { event: AuditEvent }): ReactNode {
  const navigate = useNavigate();
  const [says, setSays] = useState<string | null>(null);
  const go = (to: number) => {
    setSays(null);
    eventAt(shard, to)
      .then((found) => {
        if (found === null)
          setSays(to > seq ? 'This is the newest event of its shard.' : 'There is none before.');
        else void navigate({ to: '/audit/$id', params: { id: found.id } });
      })
      .catch((error: unknown) => setSays(told(error).detail));
  };
  return (
    <Stack gap={4} align="flex-end">
      <SimpleGrid cols={2} spacing="xs">
        <Button variant="default" size="sm" onClick={() => go(seq - 1)} disabled={seq === 1}>
          Before it
        </Button>
        <Button variant="default" size="sm" onClick={() => go(seq + 1)}>
          After it
        </Button>
      </SimpleGrid>
      {says !== null && (
        <Text size="sm" role="status">
          {says}
        </Text>
      )}
    </Stack>
  );
}

function Receipt({ id }: { id: string }): ReactNode {
  const query = useQuery(receiptQuery(id));
  if (isUnpublished(query.error)) {
    return (
      <Empty title="Not in the published log yet">
        The log is published every second or two, where a log publisher runs.
      </Empty>
    );
  }
  return (
    <Loaded query={query} what="Reading the receipt">
      {(receipt) => (
        <>
          <Text size="sm" c="dimmed" mb="xs">
            The receipt: the proof that this event is in the published log, with the checkpoint and its
            cosignatures.
          </Text>
          <RawText text={receipt} what="Receipt">
            <Download text={receipt} name={`${id}.receipt.txt`} type="text/plain">
              Download the receipt
            </Download>
          </RawText>
        </>
      )}
    </Loaded>
  );
}
