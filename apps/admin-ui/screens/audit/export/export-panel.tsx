import { Button, Card, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { told } from '../../../api/problem';
import { CopyButton } from '../../../parts/copy-button';
import { saveFile } from '../../../parts/download';
import { type Filters } from '../filters';
import { commandLine } from './command-line';
import { type Format } from './event-lines';
import { exportEvents, MOST_EVENTS } from './export-events';

type State =
  | { readonly is: 'idle' }
  | { readonly is: 'reading'; readonly count: number }
  | { readonly is: 'done'; readonly count: number; readonly isCut: boolean }
  | { readonly is: 'failed'; readonly problem: string };

const many = (count: number) => (count === 1 ? '1 event' : `${count.toLocaleString('en')} events`);

/** Saves what the filters find as a file. It says when that is not all, in the file's name too, which goes on with it. */
export function ExportPanel({ filters }: { filters: Filters }): ReactNode {
  const id = useId();
  const [format, setFormat] = useState<Format>('csv');
  const [state, setState] = useState<State>({ is: 'idle' });
  const running = useRef<AbortController>(null);
  useEffect(() => () => running.current?.abort(), []);

  const start = () => {
    const run = new AbortController();
    running.current = run;
    setState({ is: 'reading', count: 0 });
    const progress = (count: number) => setState({ is: 'reading', count });
    exportEvents(format, filters, progress, run.signal).then(
      ({ file, count, isCut }) => {
        const day = new Date().toISOString().slice(0, 10);
        saveFile(file, `events-${day}${isCut ? `-first-${count}` : ''}.${format}`);
        setState({ is: 'done', count, isCut });
      },
      (error: unknown) =>
        setState(run.signal.aborted ? { is: 'idle' } : { is: 'failed', problem: told(error).detail }),
    );
  };
  return (
    <Card withBorder component="section" aria-labelledby={id} mt="sm">
      <Stack gap="sm">
        <Text id={id} fw={600}>
          Export what the filters find
        </Text>
        <Group gap="sm">
          <SegmentedControl
            aria-label="Format"
            size="sm"
            value={format}
            onChange={(value) => setFormat(value)}
            data={[
              { label: 'CSV, for a spreadsheet', value: 'csv' },
              { label: 'NDJSON, for verifiers', value: 'ndjson' },
            ]}
          />
          {state.is === 'reading' ? (
            <Button variant="default" size="sm" onClick={() => running.current?.abort()}>
              Stop
            </Button>
          ) : (
            <Button size="sm" onClick={start}>
              Save
            </Button>
          )}
        </Group>
        <Text size="sm" c="dimmed" role="status">
          {state.is === 'idle' && `All pages, oldest first, at most ${many(MOST_EVENTS)}.`}
          {state.is === 'reading' && `Reading: ${many(state.count)} so far.`}
          {state.is === 'done' && !state.isCut && `Saved: ${many(state.count)}, all that match.`}
          {state.is === 'done' &&
            state.isCut &&
            `Cut: the file has the first ${many(state.count)}, and there are more. Narrow the time, or let the command get all of them.`}
        </Text>
        {state.is === 'failed' && (
          <Text size="sm" role="alert" className="breaks">
            Nothing was saved: {state.problem}
          </Text>
        )}
        {state.is === 'done' && state.isCut && (
          <Group gap="xs">
            <span className="mono breaks">{commandLine(filters)}</span>
            <CopyButton text={commandLine(filters)} what="the command" />
          </Group>
        )}
      </Stack>
    </Card>
  );
}
