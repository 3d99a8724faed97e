import '../operations/operations.css';
import { Stack, Text, Textarea, TextInput } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { type components } from '#openapi/kernel';
import { whileAttended } from '../../api/attention';
import { answered, api } from '../../api/client';
import { DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { StateWord } from '../../parts/state-word';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { useDraft } from '../../session/draft';
import { useSession, whyNot } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { Recorded } from '../operations/command-state';
import { Confirmation } from '../operations/confirmation';
import { Section } from '../operations/section';
import { type Command, useCommand } from '../../api/use-command';
import { holdOf, rangeText } from './holds';

type LegalHold = components['schemas']['LegalHold'];
type LegalHoldRequest = components['schemas']['LegalHoldRequest'];
type LegalHoldAnswer = components['schemas']['LegalHoldAnswer'];

const EVERY_MS = 10_000;

const holdsQuery = queryOptions({
  queryKey: ['legal-holds'],
  queryFn: ({ signal }) => answered(api.GET('/kernel/audit/legal-hold', { signal })),
  refetchInterval: whileAttended(EVERY_MS),
});

export function LegalHoldsScreen(): ReactNode {
  return (
    <Permitted action="retention.read" title="Legal holds">
      <Holds />
    </Permitted>
  );
}

function Holds(): ReactNode {
  const query = useQuery(holdsQuery);
  const [lifting, setLifting] = useState<LegalHold | null>(null);
  const command: Command<LegalHoldRequest, LegalHoldAnswer> = useCommand(
    (body: LegalHoldRequest, key) =>
      answered(
        api.POST('/kernel/audit/legal-hold', { params: { header: { 'Idempotency-Key': key } }, body }),
      ),
    { touches: [['legal-holds']], done: () => setLifting(null) },
  );
  const done = command.data;
  return (
    <>
      <PageTitle>Legal holds</PageTitle>
      <Stack gap="xl">
        <Text c="dimmed">
          Events that are held stay in the archive beyond their retention, until the hold is lifted. The
          archive follows a moment after the chain.
        </Text>
        {done !== undefined && (
          <Recorded
            title={`The hold on ${rangeText(done.legalHold)} is ${done.legalHold.inForce ? 'placed' : 'lifted'}`}
            position={done.position}
          >
            The archiver carries it out when it comes to that event; the list shows how far it is.
          </Recorded>
        )}
        <Loaded query={query} what="Reading the holds">
          {({ legalHolds }) => <List holds={legalHolds} lift={setLifting} />}
        </Loaded>
        {lifting !== null && <Lift key={rangeText(lifting)} hold={lifting} command={command} />}
        {lifting === null && <Place command={command} />}
      </Stack>
    </>
  );
}

const STATUS_COLOURS = { applied: 'teal', pending: 'gray', failing: 'red' };

function List({ holds, lift }: { holds: readonly LegalHold[]; lift: (hold: LegalHold) => void }): ReactNode {
  const may = whyNot(useSession(), 'retention.manage');
  if (holds.length === 0) {
    return (
      <Empty title="Nothing is held">
        Events stay in the archive for as long as its retention says. A hold that was just placed appears here
        when the archiver has come to it.
      </Empty>
    );
  }
  return (
    <DataTable
      caption="Legal holds, newest first"
      rows={holds}
      keyOf={(hold) => `${rangeText(hold)} ${hold.eventId}`}
      columns={[
        {
          title: 'Events',
          cell: (hold) => (
            <>
              <PageLink to="/audit/$id" params={{ id: hold.eventId }} fw={600}>
                {rangeText(hold)}
              </PageLink>
              <Text size="xs" className="breaks">
                {visibleText(hold.reason)}
              </Text>
            </>
          ),
        },
        {
          title: 'Hold',
          cell: ({ inForce, since }) => (
            <>
              <StateWord colour={inForce ? 'teal' : 'gray'}>{inForce ? 'in force' : 'lifted'}</StateWord>
              <Text size="xs" c="dimmed">
                since <Time at={since} />
              </Text>
            </>
          ),
        },
        {
          title: 'Archive',
          cell: ({ status, applied, total, failure }) => (
            <>
              <StateWord colour={STATUS_COLOURS[status]}>{status}</StateWord>
              <Text size="xs">
                {applied} of {total} objects
              </Text>
              {failure !== null && (
                <Text size="xs" className="breaks">
                  {visibleText(failure)}
                </Text>
              )}
            </>
          ),
        },
        {
          title: 'Lift',
          cell: (hold) =>
            hold.inForce && may === null ? (
              <WhyButton
                why={null}
                size="compact-sm"
                variant="default"
                aria-label={`Lift the hold on ${rangeText(hold)}`}
                onClick={() => lift(hold)}
              >
                Lift …
              </WhyButton>
            ) : (
              '—'
            ),
        },
      ]}
    />
  );
}

function Lift({
  hold,
  command,
}: {
  hold: LegalHold;
  command: Command<LegalHoldRequest, LegalHoldAnswer>;
}): ReactNode {
  const [reason, setReason] = useState('');
  const { shard, fromSeq, toSeq } = hold;
  return (
    <Section title={`Lift the hold on ${rangeText(hold)}`}>
      <Stack gap="md">
        <Textarea
          label="Why; goes into the chain"
          value={reason}
          onChange={({ currentTarget: { value } }) => setReason(value)}
          maxLength={1_000}
          rows={2}
        />
        <Confirmation
          effects={[
            `The hold on ${rangeText(hold)} ends: what is past its retention, and no other hold covers, may be deleted from then on.`,
          ]}
          words={`lift the hold on ${rangeText(hold)}`}
          label="Lift the hold"
          fresh
          why={reason.trim() === '' ? 'Say why; it is recorded.' : null}
          pending={command.isPending}
          error={command.error}
          run={() => command.mutate({ shard, fromSeq, toSeq, hold: false, reason: reason.trim() })}
        />
      </Stack>
    </Section>
  );
}

const NOTHING = { what: '', reason: '' };

function Place({ command }: { command: Command<LegalHoldRequest, LegalHoldAnswer> }): ReactNode {
  const session = useSession();
  const [typed, setTyped] = useDraft('legal-hold', NOTHING);
  const may = whyNot(session, 'retention.manage');
  const request = holdOf(typed.what, typed.reason.trim());
  const what = typed.what.trim();
  return (
    <Section title="Hold events">
      {may !== null ? (
        <Text c="dimmed">{may}</Text>
      ) : (
        <Stack gap="md">
          <TextInput
            label="Which events"
            description="An event's id, a position (0:17), or a range (0:17 to 0:41)"
            value={typed.what}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, what: value })}
            error={what !== '' && request === null ? 'That is no id, position or range of one shard.' : null}
            maxLength={80}
            spellCheck={false}
            autoComplete="off"
          />
          <Textarea
            label="Why; goes into the chain"
            value={typed.reason}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, reason: value })}
            maxLength={1_000}
            rows={2}
          />
          {request !== null && (
            <Confirmation
              key={what}
              effects={[
                `${what} is held in the archive until someone lifts the hold, whatever its retention says.`,
              ]}
              words={`hold ${what}`}
              label="Place the hold"
              fresh
              why={typed.reason.trim() === '' ? 'Say why; it is recorded.' : null}
              pending={command.isPending}
              error={command.error}
              run={() => command.mutate(request, { onSuccess: () => setTyped(NOTHING) })}
            />
          )}
        </Stack>
      )}
    </Section>
  );
}
