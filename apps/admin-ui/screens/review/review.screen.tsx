import './review.css';
import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { flushSync } from 'react-dom';
import { CopyButton } from '../../parts/copy-button';
import { saveFile } from '../../parts/download';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { Permitted } from '../../shell/permitted';
import { Part } from '../upgrades/part';
import { PeriodForm, Presets } from './period-form';
import { MOST_UPGRADES, type Report } from './report';
import { ReportSource } from './report-source';
import { ReportSummary } from './report-summary';
import { commandLine } from './review-command';
import { fileName, reviewLines } from './review-lines';
import { reportQuery } from './review-query';
import { asked, type ReviewSearch } from './review-search';
import { ReviewedUpgrade } from './reviewed-upgrade';

const route = getRouteApi('/review');

export function ReviewScreen(): ReactNode {
  return (
    <Permitted action="upgrade.read" title="Review">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const search = route.useSearch();
  const wanted = asked(search);
  return (
    <>
      <PageTitle>Review</PageTitle>
      <Stack gap="lg">
        <div className="on-screen">
          <Text size="sm" mb="md">
            Who proposed, decided and applied what in a period, from the chain. Days and times are those of
            UTC.
          </Text>
          <Presets search={search} />
          {/* A form of its own for each address: what is chosen belongs to what is seen. */}
          <PeriodForm key={JSON.stringify(search)} search={search} />
        </div>
        {wanted === null ? (
          <Empty title="Choose a period">
            The history never expires: any period of the past can be asked for.
          </Empty>
        ) : (
          <Found wanted={wanted} search={search} />
        )}
      </Stack>
    </>
  );
}

function Found({
  wanted,
  search,
}: {
  wanted: ReviewSearch & { from: string; to: string };
  search: ReviewSearch;
}): ReactNode {
  const query = useQuery(reportQuery(wanted));
  return (
    <Loaded query={query} what="Reading what happened">
      {(report) => <Shown report={report} search={search} again={() => void query.refetch()} />}
    </Loaded>
  );
}

/** Upgrades that are drawn at first; the others on demand, and all of them on paper. */
const DRAWN = 50;

function Shown({
  report,
  search,
  again,
}: {
  report: Report;
  search: ReviewSearch;
  again: () => void;
}): ReactNode {
  const { upgrades, isCut } = report;
  const [isAll, setAll] = useState(upgrades.length <= DRAWN);
  useEffect(() => {
    // Before the browser lays the pages out, however printing was asked for.
    const all = () => flushSync(() => setAll(true));
    addEventListener('beforeprint', all);
    return () => removeEventListener('beforeprint', all);
  }, []);
  const drawn = isAll ? upgrades : upgrades.slice(0, DRAWN);
  return (
    <>
      {isCut && (
        <Alert
          color="yellow"
          role="alert"
          title={`Cut: these are the first ${MOST_UPGRADES.toLocaleString('en')} upgrades`}
        >
          <Text size="sm">
            More happened in the period, and the summary is of these alone. Choose a shorter period, or let
            the command get all of it:
          </Text>
          <Group gap="xs" mt="xs">
            <span className="mono breaks">{commandLine(report, search)}</span>
            <CopyButton text={commandLine(report, search)} what="the command" />
          </Group>
        </Alert>
      )}
      <Part title="This report">
        <ReportSource report={report} search={search} />
        <Group mt="md" className="on-screen">
          <Button
            size="sm"
            onClick={() => saveFile(new Blob([reviewLines(report)], { type: 'text/csv' }), fileName(report))}
          >
            Save as CSV
          </Button>
          <Button size="sm" variant="default" onClick={() => print()}>
            Print
          </Button>
          {!report.closed && search.through === undefined && (
            <Button size="sm" variant="default" onClick={again}>
              Make it again
            </Button>
          )}
        </Group>
      </Part>
      <Part title="Summary">
        <ReportSummary report={report} />
      </Part>
      <Part title="Upgrades">
        {upgrades.length === 0 ? (
          <Empty title="Nothing happened to any upgrade">
            {hasFilters(search) ? 'Take a filter away, or choose another period.' : 'Choose another period.'}
          </Empty>
        ) : (
          drawn.map((upgrade) => <ReviewedUpgrade key={upgrade.upgradeId} upgrade={upgrade} />)
        )}
        {drawn.length < upgrades.length && (
          <Group mt="sm">
            <Button size="sm" variant="default" onClick={() => setAll(true)}>
              Show the other {(upgrades.length - drawn.length).toLocaleString('en')}
            </Button>
          </Group>
        )}
      </Part>
    </>
  );
}

const hasFilters = ({ person, type, status }: ReviewSearch) =>
  person !== undefined || type !== undefined || status !== undefined;
