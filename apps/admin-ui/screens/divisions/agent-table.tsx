import { Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { StateWord } from '../../parts/state-word';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { type Agent } from './division-queries';
import { AGENT_COLOURS } from './states';

export function AgentTable({
  agents,
  withDivision,
}: {
  agents: readonly Agent[];
  withDivision: boolean;
}): ReactNode {
  return (
    <DataTable
      caption="Agents, newest first"
      rows={agents}
      keyOf={({ id }) => id}
      columns={[
        {
          title: 'Agent',
          cell: ({ id, role }) => (
            <>
              <PageLink to="/agents/$id" params={{ id }} className="breaks" fw={600}>
                {visibleText(id)}
              </PageLink>
              {role !== null && (
                <Text size="xs" c="dimmed" className="breaks">
                  {visibleText(role)}
                </Text>
              )}
            </>
          ),
        },
        {
          title: 'State',
          cell: ({ state, since }) => (
            <>
              <StateWord colour={AGENT_COLOURS[state]}>{state}</StateWord>
              <Text size="xs" c="dimmed">
                <Age at={since} />
              </Text>
            </>
          ),
        },
        ...(withDivision
          ? [
              {
                title: 'Division',
                cell: ({ divisionId }: Agent) => (
                  <PageLink to="/divisions/$id" params={{ id: divisionId }} className="breaks">
                    {visibleText(divisionId)}
                  </PageLink>
                ),
              },
            ]
          : []),
        {
          title: 'Template',
          isExtra: true,
          cell: ({ template }) => (
            <span className="breaks">
              {visibleText(template.manifestId)} {visibleText(String(template.version))}
            </span>
          ),
        },
        { title: 'Spawned', isExtra: true, cell: ({ spawnedAt }) => <Time at={spawnedAt} /> },
      ]}
    />
  );
}
