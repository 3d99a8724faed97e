import { Card, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { answered, api } from '../../api/client';
import { ApiProblem } from '../../api/problem';
import { Digest } from '../../parts/digest';
import { JsonView } from '../../parts/json-view';
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
import { Section } from '../operations/section';
import { useCommand } from '../../api/use-command';
import { AgentTable } from './agent-table';
import { AllocateForm } from './allocate-form';
import { AllocationTable } from './allocation-table';
import { BalanceBars } from './balances';
import { agentsQuery, allocationsQuery, type Division, divisionQuery } from './division-queries';
import { DIVISION_COLOURS } from './states';

const route = getRouteApi('/divisions/$id');
const SHOWN = 10;

export function DivisionScreen(): ReactNode {
  return (
    <Permitted action="division.read" title="Division">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const { id } = route.useParams();
  const { version: asked } = route.useSearch();
  const version = asked !== undefined && /^[1-9]\d{0,14}$/.test(asked) ? Number(asked) : undefined;
  const query = useQuery(divisionQuery(id, version));
  if (query.error instanceof ApiProblem && query.error.status === 404) {
    return (
      <>
        <PageTitle>Division</PageTitle>
        <Empty title={version === undefined ? 'There is no such division' : 'There is no such version'}>
          What belongs to another division is not shown to its neighbours.
        </Empty>
      </>
    );
  }
  return (
    <Loaded query={query} what="Reading the division">
      {(division) => (
        <>
          <PageTitle>{visibleText(division.name ?? division.id)}</PageTitle>
          <Stack gap="xl">
            {version !== undefined && (
              <Text>
                This is version {division.version}.{' '}
                <PageLink to="/divisions/$id" params={{ id }} search={{}}>
                  As it is now
                </PageLink>
              </Text>
            )}
            <Facts division={division} />
            <Section title="Budget">
              <BalanceBars balances={division.balances} />
            </Section>
            {version === undefined && <Now division={division} />}
            <Section title="Signed manifest">
              <JsonView value={division.manifest} what="Manifest" />
            </Section>
          </Stack>
        </>
      )}
    </Loaded>
  );
}

function Facts({ division }: { division: Division }): ReactNode {
  const reads = permitted(useSession(), 'audit.read') !== false;
  const {
    id,
    status,
    version,
    manifestSha256,
    registeredAt,
    updatedAt,
    updatedBy,
    audit_id: auditId,
  } = division;
  return (
    <Card withBorder>
      <dl className="facts">
        <dt>Id</dt>
        <dd className="mono">{visibleText(id)}</dd>
        <dt>State</dt>
        <dd>
          <StateWord colour={DIVISION_COLOURS[status]}>{status}</StateWord>
        </dd>
        <dt>Version</dt>
        <dd>
          {version}
          {version > 1 && (
            <>
              {' · '}
              <PageLink to="/divisions/$id" params={{ id }} search={{ version: String(version - 1) }}>
                the one before
              </PageLink>
            </>
          )}
        </dd>
        <dt>Registered</dt>
        <dd>
          <Time at={registeredAt} />
        </dd>
        <dt>Changed</dt>
        <dd>
          <Time at={updatedAt} /> by {visibleText(updatedBy)}
        </dd>
        <dt>Manifest</dt>
        <dd>
          <Digest value={manifestSha256} what="the digest of the manifest" whole />
        </dd>
        {reads && (
          <>
            <dt>In the chain</dt>
            <dd>
              <PageLink to="/audit/$id" params={{ id: auditId }}>
                this version
              </PageLink>
              {', '}
              <PageLink to="/audit" search={{ stream: `division/${id}` }}>
                all of it
              </PageLink>
              {', '}
              <PageLink to="/why" search={{ node: `division/${id}` }}>
                why it is so
              </PageLink>
            </dd>
          </>
        )}
      </dl>
    </Card>
  );
}

/** What only the present version has. */
function Now({ division }: { division: Division }): ReactNode {
  const { id, balances, status } = division;
  const session = useSession();
  const agents = useQuery({
    ...agentsQuery(id, undefined, SHOWN),
    enabled: permitted(session, 'agent.read') !== false,
  });
  const allocations = useQuery(allocationsQuery(id, undefined, SHOWN));
  const pools = balances.flatMap(({ pool }) => (pool === null ? [] : [pool]));
  return (
    <>
      {permitted(session, 'agent.read') !== false && (
        <Section
          title="Agents"
          aside={
            <PageLink to="/agents" search={{ division: id }}>
              all of them
            </PageLink>
          }
        >
          <Loaded query={agents} what="Reading the agents">
            {(page) =>
              page.agents.length === 0 ? (
                <Empty title="It has no agent" />
              ) : (
                <AgentTable agents={page.agents} withDivision={false} />
              )
            }
          </Loaded>
        </Section>
      )}
      <Section
        title="Allocations"
        aside={
          <PageLink to="/divisions/$id/allocations" params={{ id }}>
            all of them
          </PageLink>
        }
      >
        <Loaded query={allocations} what="Reading the allocations">
          {(page) =>
            page.allocations.length === 0 ? (
              <Empty title="Nothing was allocated yet" />
            ) : (
              <AllocationTable allocations={page.allocations} />
            )
          }
        </Loaded>
      </Section>
      <Section title="Allocate to the division itself">
        {status === 'active' ? (
          <AllocateForm divisionId={id} pools={pools} />
        ) : (
          <Text c="dimmed">It is {status}: nothing new is allocated.</Text>
        )}
      </Section>
      <Status division={division} />
    </>
  );
}

interface Change {
  readonly status: 'active' | 'paused';
}

function Status({ division: { id, status, manifest, version } }: { division: Division }): ReactNode {
  const session = useSession();
  const may = whyNot(session, 'division.write');
  const command = useCommand(
    (next: Change, key) =>
      answered(
        api.POST('/kernel/division', {
          params: { header: { 'Idempotency-Key': key } },
          // The version is the one that this change is based on; the kernel refuses any but the one in force.
          body: { ...manifest, id, version, ...next },
        }),
      ),
    { touches: [['divisions']] },
  );
  const to = status === 'active' ? 'paused' : 'active';
  const change: Change = { status: to };
  return (
    <Section title={status === 'active' ? 'Pause' : 'Resume'}>
      <Stack gap="sm">
        <Group>
          <AskedButton
            label={to === 'paused' ? 'Pause the division' : 'Resume the division'}
            title={to === 'paused' ? `Pause ${id}?` : `Resume ${id}?`}
            effects={[
              `Its manifest is signed anew, as version ${version + 1}, and recorded.`,
              to === 'paused'
                ? 'It takes no new agents and allocations until it is active again. Running agents can be stopped, and holdings released.'
                : 'It takes new agents and allocations again.',
            ]}
            why={may ?? (status === 'retired' ? 'It is retired, which is permanent.' : null)}
            size="sm"
            command={command}
            body={change}
          />
        </Group>
        {command.data !== undefined && (
          <Recorded
            title={`It is ${command.data.status}`}
            position={command.data.position}
            auditId={command.data.audit_id}
          />
        )}
        <Text size="xs" c="dimmed">
          Other changes of the manifest, and retirement: ./kernel division.
        </Text>
      </Stack>
    </Section>
  );
}
