import { Alert, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { PageLink } from '../../parts/page-link';
import { Loaded } from '../../parts/states';
import { Age, Time, useNow } from '../../parts/times';
import { type AuditRun, auditRunsQuery } from '../audit-runs/audit-run-queries';
import { lastAudit } from '../audit-runs/last-audit';
import { countIn } from '../audit-runs/run-state';
import { RunStateWord } from '../audit-runs/run-state-word';
import { Panel } from './panel';

/** Enough for a few that failed since the last one that did not. */
const LOOKED_AT = 20;

/** When the auditor last looked at everything, what it found, and whether that is late. */
export function LastAuditPanel(): ReactNode {
  const query = useQuery(auditRunsQuery(undefined, LOOKED_AT));
  return (
    <Panel title="Last audit">
      <Loaded query={query} what="Asking for the last audit">
        {({ runs }) => <Runs runs={runs} />}
      </Loaded>
    </Panel>
  );
}

function Runs({ runs }: { runs: readonly AuditRun[] }): ReactNode {
  const { proven, newer, warnings } = lastAudit(runs, useNow());
  return (
    <Stack gap="sm">
      {proven !== null && <Run run={proven} />}
      {warnings.length > 0 && (
        <Alert color="orange" role="note">
          <Stack gap="xs">
            {warnings.map((sentence) => (
              <Text key={sentence} size="sm" className="breaks">
                {sentence}
              </Text>
            ))}
          </Stack>
        </Alert>
      )}
      {newer !== null && <Run run={newer} />}
      {runs.length > 0 && <PageLink to="/audit/runs">All audit runs</PageLink>}
    </Stack>
  );
}

function Run({ run }: { run: AuditRun }): ReactNode {
  const { id, startedAt } = run;
  const [events, findings] = [countIn(run, run.events), countIn(run, run.findings)];
  return (
    <div>
      <Group gap="xs">
        <RunStateWord run={run} />
        <PageLink to="/audit/runs/$runId" params={{ runId: id }}>
          <Time at={startedAt} />
        </PageLink>
      </Group>
      <Text size="sm" c="dimmed">
        <Age at={startedAt} />
        {events !== null && `, ${events.toLocaleString('en')} ${events === 1 ? 'event' : 'events'}`}
        {findings !== null && `, ${findings.toLocaleString('en')} ${findings === 1 ? 'finding' : 'findings'}`}
      </Text>
    </div>
  );
}
