import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { CursorPaging, DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { StateWord } from '../../parts/state-word';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { Permitted } from '../../shell/permitted';
import { BalanceLine } from './balances';
import { divisionsQuery } from './division-queries';
import { DIVISION_COLOURS } from './states';

const route = getRouteApi('/divisions');

export function DivisionsScreen(): ReactNode {
  return (
    <Permitted action="division.read" title="Divisions">
      <Divisions />
    </Permitted>
  );
}

function Divisions(): ReactNode {
  const { cursor } = route.useSearch();
  const navigate = useNavigate();
  const query = useQuery(divisionsQuery(cursor));
  return (
    <>
      <PageTitle>Divisions</PageTitle>
      <Loaded query={query} what="Reading the divisions">
        {({ divisions, nextCursor }) =>
          divisions.length === 0 ? (
            <Empty title="There is no division">
              One is registered by its manifest: ./kernel division, or POST /kernel/division.
            </Empty>
          ) : (
            <>
              <DataTable
                caption="Divisions, newest first"
                rows={divisions}
                keyOf={({ id }) => id}
                columns={[
                  {
                    title: 'Division',
                    cell: ({ id, name }) => (
                      <>
                        <PageLink to="/divisions/$id" params={{ id }} className="breaks" fw={600}>
                          {visibleText(name ?? id)}
                        </PageLink>
                        {name !== null && (
                          <Text size="xs" c="dimmed" className="breaks">
                            {visibleText(id)}
                          </Text>
                        )}
                      </>
                    ),
                  },
                  {
                    title: 'State',
                    cell: ({ status }) => <StateWord colour={DIVISION_COLOURS[status]}>{status}</StateWord>,
                  },
                  { title: 'Allocated', cell: ({ balances }) => <BalanceLine balances={balances} /> },
                  { title: 'Version', isExtra: true, isNumber: true, cell: ({ version }) => version },
                  { title: 'Changed', isExtra: true, cell: ({ updatedAt }) => <Time at={updatedAt} /> },
                ]}
              />
              <CursorPaging
                cursor={cursor}
                nextCursor={nextCursor}
                count={divisions.length}
                what="division"
                go={(next) =>
                  void navigate({ to: '/divisions', search: next === undefined ? {} : { cursor: next } })
                }
              />
            </>
          )
        }
      </Loaded>
    </>
  );
}
