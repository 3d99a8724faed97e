import { Badge, Group, Stack, Text } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { type components } from '#openapi/kernel';
import { whileAttended } from '../../api/attention';
import { answered, api } from '../../api/client';
import { Loaded } from '../../parts/states';
import { Age } from '../../parts/times';
import { Panel } from './panel';
import { summaries, type StageSummary } from './stage-summary';

const EVERY_MS = 10_000;

const pipelineQuery = queryOptions({
  queryKey: ['pipeline'],
  queryFn: ({ signal }) => answered(api.GET('/kernel/audit/pipeline', { signal })),
  refetchInterval: whileAttended(EVERY_MS),
});

const NAMES: Readonly<Record<components['schemas']['PipelineStage']['stage'], string>> = {
  published: 'The stream',
  indexed: 'The index',
  archived: 'The archive',
  logged: 'The published log',
};

/** How far stream, index, archive and published log are behind what was recorded. */
export function PipelinePanel(): ReactNode {
  const query = useQuery(pipelineQuery);
  return (
    <Panel title="Copies of the chain">
      <Loaded query={query} what="Asking how far they are">
        {({ shards }) => (
          <Stack gap="sm">
            {summaries(shards).map((stage) => (
              <StageLine key={stage.stage} stage={stage} />
            ))}
          </Stack>
        )}
      </Loaded>
    </Panel>
  );
}

function StageLine({ stage }: { stage: StageSummary }): ReactNode {
  const { events, seconds, shards, movedAt } = stage;
  const name = NAMES[stage.stage];
  const many = `${events.toLocaleString('en')} ${events === 1 ? 'event' : 'events'}`;
  return (
    <div>
      <Group gap="xs">
        <Text>
          {events === 0
            ? `${name} has every event.`
            : movedAt === null
              ? `${name} has nothing yet: ${many} to come.`
              : `${name} is ${many} behind, the oldest for ${Math.ceil(seconds).toLocaleString('en')} s.`}
        </Text>
        {stage.isLate && (
          <Badge
            variant="outline"
            color="orange"
            tt="none"
            styles={{ label: { color: 'var(--mantine-color-text)' } }}
          >
            late
          </Badge>
        )}
      </Group>
      <Text size="sm" c="dimmed">
        {shards > 1 && events > 0 && `In ${shards} shards. `}
        {movedAt === null ? (
          'It never ran here.'
        ) : (
          <>
            Last moved <Age at={movedAt} />
          </>
        )}
      </Text>
    </div>
  );
}
