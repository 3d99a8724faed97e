import { SimpleGrid, Text } from '@mantine/core';
import { type ReactNode, useMemo } from 'react';
import { rates } from '../../api/rates';
import { useSamples } from '../../api/status-samples';
import { Chart, round } from '../../parts/chart';
import { Empty } from '../../parts/states';
import { Panel } from './panel';

/** What this page has seen since it was opened; the kernel keeps no history of it, Prometheus does. */
export function Charts(): ReactNode {
  const samples = useSamples();
  const times = useMemo(() => samples.map(({ at }) => at), [samples]);
  const events = useMemo(() => rates(samples), [samples]);
  const answers = useMemo(() => samples.map(({ answerMs }) => answerMs), [samples]);
  const isEmpty = samples.length < 3;
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <ChartPanel title="Events a second" unit="a second" times={times} values={events} isEmpty={isEmpty} />
      <ChartPanel
        title="Time to answer, from here"
        unit="ms"
        times={times}
        values={answers}
        isEmpty={isEmpty}
      />
    </SimpleGrid>
  );
}

function ChartPanel({
  title,
  unit,
  times,
  values,
  isEmpty,
}: {
  title: string;
  unit: string;
  times: readonly number[];
  values: readonly (number | null)[];
  isEmpty: boolean;
}): ReactNode {
  const last = values.findLast((value) => value !== null) ?? null;
  return (
    <Panel title={title}>
      {isEmpty ? (
        <Empty title="Nothing to draw yet">It is drawn from what comes while this page is open.</Empty>
      ) : (
        <>
          <Chart label={title} times={times} values={values} unit={unit} />
          <Text size="sm" c="dimmed">
            Since this page was opened{last !== null && `; now ${round(last)} ${unit}`}
          </Text>
        </>
      )}
    </Panel>
  );
}
