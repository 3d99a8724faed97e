import { Card, Group, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { answered, api } from '../../api/client';
import { ApiProblem } from '../../api/problem';
import { DataTable } from '../../parts/cursor-table';
import { Digest } from '../../parts/digest';
import { JsonView } from '../../parts/json-view';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { StateWord } from '../../parts/state-word';
import { Empty, Loaded } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { useDraft } from '../../session/draft';
import { permitted, useSession, whyNot } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { AskedButton } from '../operations/asked';
import { Recorded } from '../operations/command-state';
import { Section } from '../operations/section';
import { useCommand } from '../../api/use-command';
import { AllocateForm } from './allocate-form';
import { amountText } from './amounts';
import { type AgentNow, agentQuery } from './division-queries';
import { AGENT_COLOURS, agentEffects } from './states';

const route = getRouteApi('/agents/$id');

export function AgentScreen(): ReactNode {
  return (
    <Permitted action="agent.read" title="Agent">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const { id } = route.useParams();
  const query = useQuery(agentQuery(id));
  if (query.error instanceof ApiProblem && query.error.status === 404) {
    return (
      <>
        <PageTitle>Agent</PageTitle>
        <Empty title="There is no such agent">
          What belongs to another division is not shown to its neighbours.
        </Empty>
      </>
    );
  }
  return (
    <Loaded query={query} what="Reading the agent">
      {(now) => (
        <>
          <PageTitle>{visibleText(now.id)}</PageTitle>
          <Stack gap="xl">
            <Facts now={now} />
            <Section title="Holds">
              {now.allocations.length === 0 ? (
                <Empty title="Nothing" />
              ) : (
                <DataTable
                  caption="What the agent holds"
                  rows={now.allocations}
                  keyOf={({ pool }) => pool}
                  columns={[
                    { title: 'Pool', cell: ({ pool }) => visibleText(pool) },
                    { title: 'Amount', isNumber: true, cell: ({ held }) => amountText(held) },
                  ]}
                />
              )}
            </Section>
            <Evals now={now} />
            <Section title="Allocate">
              {now.state === 'retired' ? (
                <Text c="dimmed">It is retired: nothing is allocated to it any more.</Text>
              ) : (
                <AllocateForm
                  divisionId={now.divisionId}
                  agentId={now.id}
                  pools={now.allocations.map(({ pool }) => pool)}
                />
              )}
            </Section>
            <States now={now} />
            <Section title="Template">
              <Template now={now} />
            </Section>
          </Stack>
        </>
      )}
    </Loaded>
  );
}

function Facts({
  now: { id, divisionId, state, since, reason, score, agent },
}: {
  now: AgentNow;
}): ReactNode {
  const reads = permitted(useSession(), 'audit.read') !== false;
  return (
    <Card withBorder>
      <dl className="facts">
        <dt>State</dt>
        <dd>
          <StateWord colour={AGENT_COLOURS[state]}>{state}</StateWord> since <Time at={since} /> (
          <Age at={since} />){reason !== null && <Text size="sm">{visibleText(reason)}</Text>}
        </dd>
        <dt>Division</dt>
        <dd>
          <PageLink to="/divisions/$id" params={{ id: divisionId }}>
            {visibleText(divisionId)}
          </PageLink>
        </dd>
        {score !== null && (
          <>
            <dt>Latest score</dt>
            <dd className="numbers">{score}</dd>
          </>
        )}
        {agent.role !== null && (
          <>
            <dt>Role</dt>
            <dd>{visibleText(agent.role)}</dd>
          </>
        )}
        {agent.skills.length > 0 && (
          <>
            <dt>Skills</dt>
            <dd>{visibleText(agent.skills.join(', '))}</dd>
          </>
        )}
        {agent.codeRef !== null && (
          <>
            <dt>Code</dt>
            <dd className="mono">{visibleText(agent.codeRef)}</dd>
          </>
        )}
        {agent.owner !== null && (
          <>
            <dt>Owner</dt>
            <dd>{visibleText(agent.owner)}</dd>
          </>
        )}
        <dt>Spawned</dt>
        <dd>
          <Time at={agent.spawnedAt} /> by {visibleText(agent.spawnedBy)}
        </dd>
        {reads && (
          <>
            <dt>In the chain</dt>
            <dd>
              <PageLink to="/audit" search={{ stream: `agent/${id}` }}>
                its life
              </PageLink>
              {', '}
              <PageLink to="/why" search={{ node: `agent/${id}` }}>
                why it is so
              </PageLink>
              {', '}
              <PageLink to="/why" search={{ node: `agent/${id}`, direction: 'effects' }}>
                what came of it
              </PageLink>
            </dd>
          </>
        )}
      </dl>
    </Card>
  );
}

function Evals({ now: { evals } }: { now: AgentNow }): ReactNode {
  return (
    <Section title="Evaluations">
      {evals.length === 0 ? (
        <Empty title="It was not evaluated yet" />
      ) : (
        <DataTable
          caption="The latest evaluations, newest first"
          rows={evals}
          keyOf={({ id }) => id}
          columns={[
            {
              title: 'When',
              cell: ({ id, submittedAt }) => (
                <PageLink to="/audit/$id" params={{ id }}>
                  <Time at={submittedAt} />
                </PageLink>
              ),
            },
            { title: 'Score', isNumber: true, cell: ({ score }) => score ?? '—' },
            {
              title: 'Measured',
              cell: ({ metricSet }) => (
                <span className="breaks">
                  {visibleText(
                    Object.entries(metricSet)
                      .map(([name, value]) => `${name} ${String(value)}`)
                      .join(', '),
                  )}
                </span>
              ),
            },
            {
              title: 'By',
              isExtra: true,
              cell: ({ source, submittedBy }) => visibleText(source ?? submittedBy),
            },
            { title: 'Notes', isExtra: true, cell: ({ notes }) => visibleText(notes ?? '—') },
          ]}
        />
      )}
    </Section>
  );
}

function States({ now: { id, state, allowed } }: { now: AgentNow }): ReactNode {
  const session = useSession();
  const may = whyNot(session, 'agent.write');
  const [typed, setTyped] = useDraft(`agent-state:${id}`, { reason: '' });
  type Change = { state: 'running' | 'paused' | 'stopped' | 'failed' | 'retired'; reason?: string };
  const command = useCommand(
    (body: Change, key) =>
      answered(
        api.POST('/kernel/agent/{id}/state', {
          params: { path: { id }, header: { 'Idempotency-Key': key } },
          body,
        }),
      ),
    { touches: [['agents'], ['divisions'], ['why']], done: () => setTyped({ reason: '' }) },
  );
  const reason = typed.reason.trim();
  const next = allowed.filter((one) => one !== 'spawned');
  return (
    <Section title="Change its state">
      {may !== null ? (
        <Text c="dimmed">{may}</Text>
      ) : next.length === 0 ? (
        <Text c="dimmed">From {state} it changes to nothing else.</Text>
      ) : (
        <Stack gap="sm">
          <TextInput
            label="Why; goes into the chain (may be left out)"
            value={typed.reason}
            onChange={({ currentTarget: { value } }) => setTyped({ reason: value })}
            maxLength={1_000}
            autoComplete="off"
          />
          <Group>
            {next.map((to) => (
              <AskedButton
                key={to}
                label={`It is ${to}`}
                title={`Record that ${id} is ${to}?`}
                effects={agentEffects(id, to)}
                {...(to === 'retired' && { color: 'red' })}
                size="sm"
                command={command}
                body={{ state: to, ...(reason !== '' && { reason }) }}
              />
            ))}
          </Group>
        </Stack>
      )}
      {command.data !== undefined && (
        <Recorded
          title={`The chain says that it is ${command.data.state}`}
          position={command.data.position ?? null}
        />
      )}
    </Section>
  );
}

function Template({ now: { agent } }: { now: AgentNow }): ReactNode {
  const { template } = agent;
  return (
    <Stack gap="sm">
      <dl className="facts">
        <dt>Manifest</dt>
        <dd>
          {visibleText(template.manifestId)} {visibleText(String(template.version))}
        </dd>
        <dt>Digest</dt>
        <dd>
          <Digest value={template.sha256} what="the digest of the template" whole />
        </dd>
        <dt>Signed by</dt>
        <dd>
          <PageLink to="/audit/$id" params={{ id: template.signedBy }}>
            event {template.signedBy}
          </PageLink>
        </dd>
      </dl>
      {template.manifest !== null && <JsonView value={template.manifest} what="Manifest of the template" />}
    </Stack>
  );
}
