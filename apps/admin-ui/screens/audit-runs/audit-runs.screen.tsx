import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { type Column, CursorPaging, DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { Permitted } from '../../shell/permitted';
import { type AuditRun, auditRunsQuery } from './audit-run-queries';
import { countIn } from './run-state';
import { RunStateWord } from './run-state-word';

const route = getRouteApi('/audit/runs');

export function AuditRunsScreen(): ReactNode {
  return (
    <Permitted action="audit-run.read" title="Audit runs">
      <Runs />
    </Permitted>
  );
}

/** Longest reason in a list; the audit's own page has all of it. */
const MAX_DETAIL = 160;

const shortened = (text: string): string =>
  text.length <= MAX_DETAIL ? text : `${text.slice(0, MAX_DETAIL)}…`;

const COLUMNS: readonly Column<AuditRun>[] = [
  {
    title: 'Began',
    cell: ({ id, startedAt }) => (
      <>
        <PageLink to="/audit/runs/$runId" params={{ runId: id }} fw={600}>
          <Time at={startedAt} />
        </PageLink>
        <Text size="xs" c="dimmed">
          <Age at={startedAt} />
        </Text>
      </>
    ),
  },
  {
    title: 'Result',
    cell: (run) => (
      <>
        <RunStateWord run={run} />
        {run.detail !== null && (
          <Text size="xs" c="dimmed" className="breaks">
            {visibleText(shortened(run.detail))}
          </Text>
        )}
      </>
    ),
  },
  {
    title: 'Events',
    isNumber: true,
    isExtra: true,
    cell: (run) => countIn(run, run.events)?.toLocaleString('en') ?? '',
  },
  {
    title: 'Findings',
    isNumber: true,
    cell: (run) => countIn(run, run.findings)?.toLocaleString('en') ?? '',
  },
  { title: 'Recorded', isExtra: true, isWhole: true, cell: ({ recordedAt }) => <Time at={recordedAt} /> },
];

function Runs(): ReactNode {
  const { cursor } = route.useSearch();
  const navigate = useNavigate();
  const query = useQuery(auditRunsQuery(cursor));
  const go = (next: string | undefined) =>
    void navigate({ to: '/audit/runs', search: next === undefined ? {} : { cursor: next } });
  return (
    <>
      <PageTitle>Audit runs</PageTitle>
      <Text size="sm" c="dimmed" mb="md">
        The auditor verifies the whole chain once a day and compares event store, index and archive. What no
        valid seal says is not proven, and not called clean here. The newest 1,000 are kept; the archive has
        every report.
      </Text>
      <Loaded query={query} what="Reading the audit runs">
        {({ runs, nextCursor }) =>
          runs.length === 0 ? (
            <Empty title="No audit has been recorded">
              The auditor runs once a day where it is installed; ./kernel audit run runs one at once.
            </Empty>
          ) : (
            <>
              <DataTable
                caption="Audit runs, newest first"
                rows={runs}
                keyOf={({ id }) => id}
                columns={COLUMNS}
              />
              <CursorPaging
                cursor={cursor}
                nextCursor={nextCursor}
                count={runs.length}
                what="audit run"
                go={go}
              />
            </>
          )
        }
      </Loaded>
    </>
  );
}
