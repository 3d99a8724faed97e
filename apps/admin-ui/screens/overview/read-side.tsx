import { SimpleGrid, Stack, Text } from '@mantine/core';
import { useQueries, type UseQueryResult } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { type SecurityStatus } from '../../api/queries';
import { Failure, Loading } from '../../parts/states';
import { Age } from '../../parts/times';
import { publishedQuery } from './overview-queries';
import { type PublishedHead } from './published-head';
import { permitted, useSession } from '../../session/session';
import { LastAuditPanel } from './last-audit-panel';
import { Panel } from './panel';
import { PipelinePanel } from './pipeline';

type Heads = SecurityStatus['heads'];
/** Shards whose log is asked for, one after the other at each round. */
const MOST_LOGS = 8;

/** How far what people read is behind what was recorded. */
export function ReadSide({ heads }: { heads: Heads }): ReactNode {
  const session = useSession();
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      {permitted(session, 'pipeline.read') !== false && <PipelinePanel />}
      {permitted(session, 'audit-run.read') !== false && <LastAuditPanel />}
      <LogPanel heads={heads} />
    </SimpleGrid>
  );
}

function LogPanel({ heads }: { heads: Heads }): ReactNode {
  const shown = heads.slice(0, MOST_LOGS);
  const logs = useQueries({ queries: shown.map((head) => publishedQuery(head)) });
  return (
    <Panel title="Published log">
      <Stack gap="sm">
        {shown.map((head, n) => (
          <LogLine key={head.shard} head={head} query={logs[n] as (typeof logs)[number]} />
        ))}
        <Text size="xs" c="dimmed">
          As the kernel shows it in receipts; this page has not checked the signatures.
        </Text>
      </Stack>
    </Panel>
  );
}

function LogLine({
  head: { shard, seq },
  query: { data, error, isPending },
}: {
  head: Heads[number];
  query: Pick<UseQueryResult<PublishedHead | null>, 'data' | 'error' | 'isPending'>;
}): ReactNode {
  if (seq === 0) return <Text>Shard {shard}: nothing was recorded yet.</Text>;
  if (data === undefined)
    return error === null && isPending ? <Loading what="Asking the log" /> : <Failure error={error} />;
  if (data === null) return <Text>Shard {shard}: its newest events are in no published log yet.</Text>;
  const behind = Math.max(0, seq - data.size);
  return (
    <div>
      <Text>
        Shard {shard}: {data.size.toLocaleString('en')} events published,{' '}
        {behind === 0 ? 'none is missing' : `${behind.toLocaleString('en')} to come`}.
      </Text>
      <Text size="sm" c="dimmed" className="breaks">
        {data.witnesses.length === 0
          ? 'No witness has cosigned.'
          : `Cosigned by ${data.witnesses.join(', ')}`}
        {data.cosignedAt !== null && (
          <>
            {' '}
            <Age at={data.cosignedAt} />
          </>
        )}
      </Text>
    </div>
  );
}
