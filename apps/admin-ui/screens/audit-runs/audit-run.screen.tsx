import { Alert, Button, Card, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { ApiProblem } from '../../api/problem';
import { DataTable } from '../../parts/cursor-table';
import { Digest } from '../../parts/digest';
import { Download } from '../../parts/download';
import { RawText } from '../../parts/json-view';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { Permitted } from '../../shell/permitted';
import { Section } from '../operations/section';
import { type AuditRun, type AuditRunDocuments, auditRunQuery } from './audit-run-queries';
import { FindingsSection } from './findings';
import { type AuditReport, readReport, type ReportShard } from './read-report';
import { countIn } from './run-state';
import { RunStateWord } from './run-state-word';

const route = getRouteApi('/audit/runs/$runId');

export function AuditRunScreen(): ReactNode {
  return (
    <Permitted action="audit-run.read" title="Audit report">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const { runId } = route.useParams();
  const query = useQuery(auditRunQuery(runId));
  const isGone = query.error instanceof ApiProblem && query.error.status === 404;
  return (
    <>
      <PageTitle
        aside={
          query.data !== undefined && (
            <Button variant="default" size="sm" onClick={() => print()}>
              Print
            </Button>
          )
        }
      >
        Audit report
      </PageTitle>
      {isGone && query.data === undefined ? (
        <Empty title="No audit with this id is recorded here">
          The newest 1,000 are: <PageLink to="/audit/runs">all audit runs</PageLink>. The archive has every
          report.
        </Empty>
      ) : (
        <Loaded query={query} what="Reading the report">
          {(documents) => <Documents documents={documents} />}
        </Loaded>
      )}
    </>
  );
}

function Documents({ documents }: { documents: AuditRunDocuments }): ReactNode {
  const { run, report: text } = documents;
  const report = text === null ? null : readReport(text);
  return (
    <Stack gap="xl">
      <Worth run={run} />
      <Card withBorder>
        <Facts run={run} report={report} />
      </Card>
      {text !== null && report === null && (
        <Empty title="This page cannot read the report">It can be downloaded as it is.</Empty>
      )}
      {report !== null && (
        <>
          <Shards shards={report.shards} />
          <FindingsSection findings={report.findings} isProven={run.verdict !== null} />
        </>
      )}
      <Proof documents={documents} />
    </Stack>
  );
}

/** What the report is worth, where it is not what everybody hopes for. */
function Worth({ run: { seal, outcome, detail } }: { run: AuditRun }): ReactNode {
  const said = detail !== null && (
    <Text size="sm" className="breaks">
      {visibleText(detail)}
    </Text>
  );
  if (seal === 'invalid') {
    return (
      <Alert color="red" role="alert" title="The auditor did not write this">
        <Text size="sm">
          Do not rely on anything below. Somebody has a password of the database: tell the operators
          (runbooks/integrity-alarm.md). What the auditor wrote is in the archive.
        </Text>
        {said}
      </Alert>
    );
  }
  if (outcome === 'failed' || outcome === 'refused') {
    const title =
      outcome === 'failed'
        ? 'It could not be carried out'
        : 'It was not carried out: the store was being restored';
    return (
      <Alert color="orange" role="note" title={title}>
        {said}
      </Alert>
    );
  }
  if (seal === 'none') {
    return (
      <Alert color="orange" role="note" title="It has no seal">
        <Text size="sm">Nothing proves that the auditor wrote what is below.</Text>
        {said}
      </Alert>
    );
  }
  if (seal === 'key_ended') {
    return (
      <Alert color="orange" role="note" title="The key of its seal has ended since">
        <Text size="sm">
          The signature is right, but whoever has that key now could have made it at any time. The archive,
          which keeps versions, shows when the seal was written.
        </Text>
        {said}
      </Alert>
    );
  }
  if (detail === null) return null;
  return (
    <Alert color="gray" variant="outline" role="note" title="Note">
      {said}
    </Alert>
  );
}

function Facts({ run, report }: { run: AuditRun; report: AuditReport | null }): ReactNode {
  const { id, startedAt, recordedAt, signedAt, report: digest } = run;
  const [events, findings] = [countIn(run, run.events), countIn(run, run.findings)];
  return (
    <dl className="facts">
      <dt>Result</dt>
      <dd>
        <RunStateWord run={run} />
      </dd>
      <dt>Began</dt>
      <dd>
        <Time at={startedAt} exact /> (<Age at={startedAt} />)
      </dd>
      {report !== null && (
        <>
          <dt>Ended</dt>
          <dd>
            <Time at={report.finishedAt} exact />
          </dd>
        </>
      )}
      {signedAt !== null && (
        <>
          <dt>Sealed</dt>
          <dd>
            <Time at={signedAt} exact />
          </dd>
        </>
      )}
      <dt>Recorded</dt>
      <dd>
        <Time at={recordedAt} exact />, by the clock of the database
      </dd>
      {events !== null && (
        <>
          <dt>Events</dt>
          <dd>{events.toLocaleString('en')}</dd>
        </>
      )}
      {report !== null && (
        <>
          <dt>Objects of the archive</dt>
          <dd>{report.objects.toLocaleString('en')}</dd>
        </>
      )}
      {findings !== null && (
        <>
          <dt>Findings</dt>
          <dd>{findings.toLocaleString('en')}</dd>
        </>
      )}
      {report !== null && (
        <>
          <dt>Kernel</dt>
          <dd>{visibleText(report.origin)}</dd>
        </>
      )}
      <dt>Id</dt>
      <dd>
        <Digest value={id} what="the id of the audit" whole />
      </dd>
      {digest !== null && (
        <>
          <dt>SHA-256 of the report</dt>
          <dd>
            <Digest value={digest.sha256} what="the digest of the report" whole />
            <Text size="xs" c="dimmed">
              {digest.size.toLocaleString('en')} bytes
            </Text>
          </dd>
        </>
      )}
    </dl>
  );
}

function Shards({ shards }: { shards: readonly ReportShard[] }): ReactNode {
  return (
    <Section title="What was verified">
      <DataTable
        caption="What was verified, shard by shard"
        rows={shards}
        keyOf={({ shard }) => String(shard)}
        columns={[
          { title: 'Shard', cell: ({ shard }) => shard },
          { title: 'Events', isNumber: true, cell: ({ head }) => head.seq.toLocaleString('en') },
          { title: 'In the index', isNumber: true, cell: ({ indexed }) => indexed.toLocaleString('en') },
          { title: 'In the archive', isNumber: true, cell: ({ archived }) => archived.toLocaleString('en') },
          { title: 'Day manifests', isNumber: true, cell: ({ manifests }) => manifests.toLocaleString('en') },
          {
            title: 'Hash of the last event',
            cell: ({ head, shard }) => (
              <Digest value={visibleText(head.hash)} what={`the head hash of shard ${shard}`} />
            ),
          },
        ]}
      />
      <Text size="sm" c="dimmed" mt="xs">
        The copies as they were when the audit began; what came later was not compared.
      </Text>
    </Section>
  );
}

function Proof({
  documents: { run, report, seal, archiveKeys },
}: {
  documents: AuditRunDocuments;
}): ReactNode {
  if (archiveKeys === null) return null;
  const { id } = run;
  const commands = [
    ...(seal === null
      ? []
      : [
          `node tools/audit-verify.js --signers signers.json --audit-report ${id}.json --seal ${id}.seal.json`,
        ]),
    './kernel audit verify --signers signers.json',
  ];
  return (
    <Section title="Report and seal">
      <Stack gap="sm">
        {(report !== null || seal !== null) && (
          <Group gap="sm">
            {report !== null && (
              <Download text={report} name={`${id}.json`} type="application/json">
                Download the report
              </Download>
            )}
            {seal !== null && (
              <Download text={seal} name={`${id}.seal.json`} type="application/json">
                Download the seal
              </Download>
            )}
          </Group>
        )}
        <dl className="facts">
          <dt>Its place in the archive</dt>
          <dd className="mono">{archiveKeys.report}</dd>
          <dt>That of its seal</dt>
          <dd className="mono">{run.seal === 'none' ? 'none was written' : archiveKeys.seal}</dd>
        </dl>
        <Text size="sm">
          {seal === null
            ? 'What has no seal cannot be checked. This line verifies the chain itself anew, with a signers.json that came another way:'
            : 'The seal was checked by the kernel, with the keys that it knows. The first line checks it without the kernel, with a signers.json that came another way; the second one verifies the chain itself anew.'}
        </Text>
        <RawText text={commands.join('\n')} what="Commands that verify it" />
      </Stack>
    </Section>
  );
}
