import { Button, Group, Stack, Text } from '@mantine/core';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { told } from '../../api/problem';
import { type Column, DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { Empty } from '../../parts/states';
import { visibleText } from '../../parts/visible-text';
import { eventAt } from '../audit/event-queries';
import { Section } from '../operations/section';
import { type AuditReport, eventOf, positionOf, type ReportFinding } from './read-report';

const route = getRouteApi('/audit/runs/$runId');

/** Findings that are shown at once: a report lists up to 10,000. */
const STEP = 100;

/** What the auditor found, by kind and one by one. */
export function FindingsSection({
  findings,
  isProven,
}: {
  findings: AuditReport['findings'];
  /** Whether a seal that counts is over the report. */
  isProven: boolean;
}): ReactNode {
  const { kind } = route.useSearch();
  if (findings.count === 0) {
    return (
      <Section title="Findings">
        {isProven ? (
          <Empty title="None">Chain, index, archive and the manifests of days agree.</Empty>
        ) : (
          <Empty title="The report lists none">Nothing proves that there are none.</Empty>
        )}
      </Section>
    );
  }
  return (
    <>
      <Section title="Findings by kind">
        <Kinds byKind={findings.byKind} />
      </Section>
      <Section
        title={kind === undefined ? 'Findings' : `Findings of the kind ${visibleText(kind)}`}
        aside={kind !== undefined && <AllKinds />}
      >
        {/* Another choice begins at its beginning. */}
        <Listed key={kind ?? ''} findings={findings} kind={kind} />
      </Section>
    </>
  );
}

function AllKinds(): ReactNode {
  const { runId } = route.useParams();
  return (
    <PageLink to="/audit/runs/$runId" params={{ runId }} search={{}}>
      all kinds
    </PageLink>
  );
}

function Kinds({ byKind }: { byKind: AuditReport['findings']['byKind'] }): ReactNode {
  const { runId } = route.useParams();
  return (
    <DataTable
      caption="Findings by kind, most first"
      rows={byKind}
      keyOf={([kind]) => kind}
      columns={[
        {
          title: 'Kind',
          cell: ([kind]) => (
            <PageLink to="/audit/runs/$runId" params={{ runId }} search={{ kind }} className="mono breaks">
              {visibleText(kind)}
            </PageLink>
          ),
        },
        { title: 'Findings', isNumber: true, cell: ([, count]) => count.toLocaleString('en') },
      ]}
    />
  );
}

type Numbered = ReportFinding & { readonly n: number };

const COLUMNS: readonly Column<Numbered>[] = [
  { title: 'Kind', cell: ({ kind }) => <span className="mono breaks">{visibleText(kind)}</span> },
  { title: 'Where', cell: (finding) => <Where finding={finding} /> },
  {
    title: 'What',
    cell: ({ message }) => (
      <Text span inherit className="breaks">
        {visibleText(message)}
      </Text>
    ),
  },
];

function Listed({
  findings: { count, listed },
  kind,
}: {
  findings: AuditReport['findings'];
  kind: string | undefined;
}): ReactNode {
  const [most, setMost] = useState(STEP);
  const all = listed
    .map((finding, n) => ({ ...finding, n }))
    .filter((finding) => kind === undefined || finding.kind === kind);
  const shown = all.slice(0, most);
  return (
    <Stack gap="sm">
      {all.length === 0 ? (
        <Empty title="None of this kind is listed" />
      ) : (
        <DataTable
          caption="Findings, one by one"
          rows={shown}
          keyOf={({ n }) => String(n)}
          columns={COLUMNS}
        />
      )}
      <Group gap="sm">
        {shown.length < all.length && (
          <Button variant="default" size="sm" onClick={() => setMost(most + STEP)}>
            Show {Math.min(STEP, all.length - shown.length)} more
          </Button>
        )}
        <Text size="sm" c="dimmed" role="status">
          {shown.length.toLocaleString('en')} of {all.length.toLocaleString('en')} listed
          {count > listed.length &&
            `; the report lists ${listed.length.toLocaleString('en')} of ${count.toLocaleString('en')} findings`}
        </Text>
      </Group>
    </Stack>
  );
}

function Where({ finding }: { finding: ReportFinding }): ReactNode {
  const { shard, seq, subject } = finding;
  const event = eventOf(finding);
  const position = positionOf(finding);
  const place = shard !== null && seq !== null ? `${shard}:${seq}` : null;
  return (
    <>
      {event !== null && (
        <PageLink to="/audit/$id" params={{ id: event }} className="breaks">
          {place ?? event}
        </PageLink>
      )}
      {position !== null && <PositionButton position={position} />}
      {event === null && position === null && place}
      {subject !== null && (
        <Text size="xs" c="dimmed" className="mono breaks">
          {visibleText(subject)}
        </Text>
      )}
      {place === null && subject === null && shard !== null && `shard ${shard}`}
    </>
  );
}

/** Leads to the event at a position, whose id only the kernel knows. */
function PositionButton({
  position: { shard, seq },
}: {
  position: { shard: number; seq: number };
}): ReactNode {
  const navigate = useNavigate();
  const [says, setSays] = useState<string | null>(null);
  const go = () => {
    setSays(null);
    eventAt(shard, seq)
      .then((found) => {
        if (found === null) setSays('There is no event.');
        else void navigate({ to: '/audit/$id', params: { id: found.id } });
      })
      .catch((error: unknown) => setSays(told(error).detail));
  };
  return (
    <>
      {shard}:{seq}{' '}
      <Button
        size="compact-xs"
        variant="default"
        onClick={go}
        aria-label={`Show the event at ${shard}:${seq}`}
      >
        Show
      </Button>
      {says !== null && (
        <Text size="xs" role="status">
          {says}
        </Text>
      )}
    </>
  );
}
