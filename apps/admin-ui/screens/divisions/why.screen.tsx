import { Alert, Button, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { ApiProblem } from '../../api/problem';
import { DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { Permitted } from '../../shell/permitted';
import { Section } from '../operations/section';
import { type ReasonTrace, traceQuery } from './division-queries';
import { TraceGraph } from './trace-graph';

const route = getRouteApi('/why');

type Direction = 'causes' | 'effects';

export function WhyScreen(): ReactNode {
  return (
    <Permitted action="audit.read" title="Why">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const { node, direction: asked } = route.useSearch();
  const direction: Direction = asked === 'effects' ? 'effects' : 'causes';
  return (
    <>
      <PageTitle>Why</PageTitle>
      <Stack gap="lg">
        <Asked key={node ?? ''} node={node ?? ''} direction={direction} />
        {node === undefined ? (
          <Empty title="About what?">
            Give an event&rsquo;s id, a stream such as agent/a-1, or the id of an agent, a division, an
            upgrade or a manifest.
          </Empty>
        ) : (
          <Trace node={node} direction={direction} />
        )}
      </Stack>
    </>
  );
}

function Asked({ node, direction }: { node: string; direction: Direction }): ReactNode {
  const navigate = useNavigate();
  const [typed, setTyped] = useState(node);
  const label = useId();
  const go = (about: string, to: Direction) => {
    if (about.trim() === '') return;
    void navigate({ to: '/why', search: { node: about.trim(), ...(to === 'effects' && { direction: to }) } });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    go(typed, direction);
  };
  return (
    <form onSubmit={submit} aria-label="What it is about">
      <Stack gap="sm">
        <Group align="flex-end" gap="sm">
          <TextInput
            label="An event, a stream, or the id of an agent, division, upgrade or manifest"
            placeholder="agent/a-1"
            value={typed}
            onChange={({ currentTarget: { value } }) => setTyped(value)}
            maxLength={255}
            spellCheck={false}
            autoComplete="off"
            style={{ flexGrow: 1 }}
          />
          <Button type="submit" variant="default">
            Trace
          </Button>
        </Group>
        <Group gap="sm">
          <Text size="sm" id={label}>
            Show
          </Text>
          <SegmentedControl
            aria-labelledby={label}
            size="xs"
            value={direction}
            onChange={(value) => go(node, value === 'effects' ? 'effects' : 'causes')}
            data={[
              { label: 'what it rests on', value: 'causes' },
              { label: 'what came of it', value: 'effects' },
            ]}
          />
        </Group>
      </Stack>
    </form>
  );
}

function Trace({ node, direction }: { node: string; direction: Direction }): ReactNode {
  const query = useQuery(traceQuery(node, direction));
  if (query.error instanceof ApiProblem && query.error.status === 404) {
    return (
      <Empty title="There is no such thing">
        Or it belongs to another division. A stream is its kind and its id: agent/a-1.
      </Empty>
    );
  }
  return (
    <Loaded query={query} what="Tracing">
      {(trace) => <Found trace={trace} />}
    </Loaded>
  );
}

function Found({ trace: { trace, truncated, direction, stream } }: { trace: ReasonTrace }): ReactNode {
  const help = useId();
  if (trace.length === 0) {
    return (
      <Empty
        title={direction === 'effects' ? 'Nothing came of it yet' : 'It rests on nothing that was recorded'}
      />
    );
  }
  const positions = new Map(trace.map(({ id, position }) => [id, position]));
  const withheld = trace.filter((step) => step.withheld).length;
  const name = visibleText(stream);
  return (
    <Stack gap="lg">
      {truncated && (
        <Alert color="yellow" role="note" title="There is more">
          The nearest are shown. Each of them can be traced in turn.
        </Alert>
      )}
      {withheld > 0 && (
        <Text size="sm">
          {withheld === 1 ? 'One event belongs' : `${withheld} events belong`} to another division: where it
          is, and not what it says.
        </Text>
      )}
      <Section title={direction === 'effects' ? `What came of ${name}` : `What ${name} rests on`}>
        <Text size="sm" c="dimmed" id={help} mb="xs">
          Oldest first; what was asked about is filled and leftmost, and each line leads from a cause to what
          rests on it. By keyboard: up and down through the events, left to a cause, right to an effect, Enter
          opens. The table below has the same.
        </Text>
        <TraceGraph trace={trace} label={`Graph of ${trace.length} events`} describedBy={help} />
      </Section>
      <Section title="The same as a table">
        <DataTable
          caption="The events of the trace, oldest first"
          rows={[...trace].sort((a, b) => a.step - b.step)}
          keyOf={({ id }) => id}
          columns={[
            {
              title: 'Event',
              cell: ({ id, type, stream: of, withheld: isWithheld, position, ts }) => (
                <>
                  {isWithheld ? (
                    <span>withheld</span>
                  ) : (
                    <PageLink to="/audit/$id" params={{ id }} className="breaks" fw={600}>
                      {type}
                    </PageLink>
                  )}
                  <Text size="xs" c="dimmed" className="breaks">
                    {position} · <Time at={ts} />
                    {of !== null && ` · ${visibleText(of)}`}
                  </Text>
                </>
              ),
            },
            {
              title: 'What happened',
              cell: ({ note }) => <span className="breaks">{visibleText(note ?? '—')}</span>,
            },
            {
              title: 'Rests on',
              cell: ({ because }) =>
                because.length === 0
                  ? '—'
                  : because.map(({ relation, id }) => (
                      <div key={`${relation} ${id}`} className="breaks">
                        {visibleText(relation)}{' '}
                        <PageLink to="/audit/$id" params={{ id }}>
                          {positions.get(id) ?? 'outside the trace'}
                        </PageLink>
                      </div>
                    )),
            },
            { title: 'Steps away', isExtra: true, isNumber: true, cell: ({ distance }) => distance },
            {
              title: 'Trace',
              isExtra: true,
              cell: ({ id, withheld: isWithheld, position }) =>
                isWithheld ? (
                  '—'
                ) : (
                  <PageLink to="/why" search={{ node: id, direction }} aria-label={`from here: ${position}`}>
                    from here
                  </PageLink>
                ),
            },
          ]}
        />
      </Section>
    </Stack>
  );
}
