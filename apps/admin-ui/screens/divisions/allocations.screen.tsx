import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { CursorPaging } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { visibleText } from '../../parts/visible-text';
import { Permitted } from '../../shell/permitted';
import { AllocationTable } from './allocation-table';
import { allocationsQuery } from './division-queries';

const route = getRouteApi('/divisions/$id/allocations');

export function AllocationsScreen(): ReactNode {
  return (
    <Permitted action="division.read" title="Allocations">
      <Allocations />
    </Permitted>
  );
}

function Allocations(): ReactNode {
  const { id } = route.useParams();
  const { cursor } = route.useSearch();
  const navigate = useNavigate();
  const query = useQuery(allocationsQuery(id, cursor));
  return (
    <>
      <PageTitle>Allocations</PageTitle>
      <Text mb="sm">
        From the budget of{' '}
        <PageLink to="/divisions/$id" params={{ id }}>
          {visibleText(id)}
        </PageLink>
        .
      </Text>
      <Loaded query={query} what="Reading the allocations">
        {({ allocations, nextCursor }) =>
          allocations.length === 0 ? (
            <Empty title="Nothing was allocated yet" />
          ) : (
            <>
              <AllocationTable allocations={allocations} />
              <CursorPaging
                cursor={cursor}
                nextCursor={nextCursor}
                count={allocations.length}
                what="allocation"
                go={(next) =>
                  void navigate({
                    to: '/divisions/$id/allocations',
                    params: { id },
                    search: next === undefined ? {} : { cursor: next },
                  })
                }
              />
            </>
          )
        }
      </Loaded>
    </>
  );
}
