import { Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { amountText } from './amounts';
import { type Allocation } from './division-queries';

export function AllocationTable({ allocations }: { allocations: readonly Allocation[] }): ReactNode {
  return (
    <DataTable
      caption="Grants and releases, newest first"
      rows={allocations}
      keyOf={({ id }) => id}
      columns={[
        {
          title: 'Amount',
          cell: ({ delta, pool, id, status }) => (
            <>
              <PageLink to="/audit/$id" params={{ id }} fw={600} className="numbers">
                {delta > 0 ? '+' : '−'}
                {amountText(Math.abs(delta))}
              </PageLink>
              <Text size="xs" c="dimmed" className="breaks">
                {status}, {visibleText(pool)}
              </Text>
            </>
          ),
        },
        {
          title: 'Holder',
          cell: ({ agentId, entityId, held }) => (
            <>
              {agentId === null ? (
                <span className="breaks">{visibleText(entityId)} (the division)</span>
              ) : (
                <PageLink to="/agents/$id" params={{ id: agentId }} className="breaks">
                  {visibleText(agentId)}
                </PageLink>
              )}
              <Text size="xs" c="dimmed">
                then had {amountText(held)}
              </Text>
            </>
          ),
        },
        {
          title: 'Why',
          cell: ({ reason, id }) => (
            <>
              <span className="breaks">{visibleText(reason)}</span>{' '}
              <PageLink to="/why" search={{ node: id }} aria-label={`Why: the trace of ${id}`}>
                trace
              </PageLink>
            </>
          ),
        },
        {
          title: 'For',
          isExtra: true,
          cell: ({ requestedBy }) => <span className="breaks">{visibleText(requestedBy)}</span>,
        },
        { title: 'When', isExtra: true, isWhole: true, cell: ({ ts }) => <Time at={ts} /> },
      ]}
    />
  );
}
