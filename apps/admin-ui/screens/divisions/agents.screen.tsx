import { Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { CursorPaging } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { visibleText } from '../../parts/visible-text';
import { Permitted } from '../../shell/permitted';
import { AgentTable } from './agent-table';
import { agentsQuery } from './division-queries';

const route = getRouteApi('/agents');

export function AgentsScreen(): ReactNode {
  return (
    <Permitted action="agent.read" title="Agents">
      <Agents />
    </Permitted>
  );
}

function Agents(): ReactNode {
  const { division, cursor } = route.useSearch();
  const navigate = useNavigate();
  const query = useQuery(agentsQuery(division, cursor));
  const go = (next: string | undefined) =>
    void navigate({
      to: '/agents',
      search: { ...(division !== undefined && { division }), ...(next !== undefined && { cursor: next }) },
    });
  return (
    <>
      <PageTitle>Agents</PageTitle>
      {division !== undefined && (
        <Group gap="sm" mb="sm">
          <Text>
            Those of{' '}
            <PageLink to="/divisions/$id" params={{ id: division }}>
              {visibleText(division)}
            </PageLink>
            .{' '}
            <PageLink to="/agents" search={{}}>
              All agents
            </PageLink>
          </Text>
        </Group>
      )}
      <Loaded query={query} what="Reading the agents">
        {({ agents, nextCursor }) =>
          agents.length === 0 ? (
            <Empty title="There is no agent">
              Agents are spawned from templates that this kernel has signed: ./kernel agent spawn.
            </Empty>
          ) : (
            <>
              <AgentTable agents={agents} withDivision={division === undefined} />
              <CursorPaging
                cursor={cursor}
                nextCursor={nextCursor}
                count={agents.length}
                what="agent"
                go={go}
              />
            </>
          )
        }
      </Loaded>
    </>
  );
}
