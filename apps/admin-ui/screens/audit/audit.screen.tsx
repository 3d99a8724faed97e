import { Badge, Group, Switch, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useCallback, useState } from 'react';
import { type AuditEvent } from '../../api/queries';
import { CursorPaging } from '../../parts/cursor-table';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { permitted, useSession } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { EventTable } from './event-table';
import { eventsQuery, newestQuery } from './event-queries';
import { ExportPanel } from './export/export-panel';
import { FilterForm } from './filter-form';
import { conditionsOf, filterQuery, type Filters } from './filters';
import { type Live, useLiveEvents } from './live-events';
import { SearchLine } from './search-line';

const route = getRouteApi('/audit');

export function AuditScreen(): ReactNode {
  return (
    <Permitted action="audit.read" title="Audit">
      <Explorer />
    </Permitted>
  );
}

function Explorer(): ReactNode {
  const filters = route.useSearch();
  const session = useSession();
  const isFiltered = Object.keys(conditionsOf(filters)).length > 0;
  // Without a filter the newest come first; a lead sees a part of the chain, which only the index knows.
  const showsNewest = !isFiltered && permitted(session, 'audit.export') === 'all';
  return (
    <>
      <PageTitle>Audit</PageTitle>
      <SearchLine />
      {/* A form of its own for each address: what is typed belongs to what is seen. */}
      <FilterForm key={filterQuery(filters)} filters={filters} />
      {showsNewest ? <Newest cursor={filters.cursor} /> : <Found filters={filters} />}
    </>
  );
}

/** Beside what was read, without what is in both. */
function withLive(live: Live, read: readonly AuditEvent[]): AuditEvent[] {
  const known = new Set(live.events.map(({ id }) => id));
  return [...live.events, ...read.filter(({ id }) => !known.has(id))];
}

function Newest({ cursor }: { cursor: string | undefined }): ReactNode {
  const navigate = useNavigate();
  const [wantsLive, setWantsLive] = useState(true);
  const query = useQuery(newestQuery(cursor));
  const { refetch } = query;
  const isFirst = cursor === undefined;
  const read = useCallback(() => void refetch(), [refetch]);
  const live = useLiveEvents(isFirst && wantsLive ? '' : null, read);
  const go = (next: string | undefined) =>
    void navigate({ to: '/audit', search: next === undefined ? {} : { cursor: next } });
  return (
    <>
      <ListHead
        title={isFirst ? 'Newest events' : 'Older events'}
        live={isFirst ? live : null}
        wantsLive={wantsLive}
        setWantsLive={setWantsLive}
      />
      <Loaded query={query} what="Reading the newest events">
        {({ events, nextCursor }) => {
          const all = isFirst ? withLive(live, events) : events;
          if (all.length === 0) return <Empty title="Nothing was recorded yet" />;
          return (
            <>
              <EventTable events={all} caption="Events, newest first" />
              <CursorPaging cursor={cursor} nextCursor={nextCursor} count={all.length} what="event" go={go} />
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function Found({ filters }: { filters: Filters }): ReactNode {
  const navigate = useNavigate();
  const [wantsLive, setWantsLive] = useState(false);
  const query = useQuery(eventsQuery(filters));
  const { refetch } = query;
  const isNewestFirst = filters.order === undefined;
  const isFirst = filters.cursor === undefined;
  const read = useCallback(() => void (isNewestFirst && refetch()), [isNewestFirst, refetch]);
  const live = useLiveEvents(wantsLive ? filterQuery(filters) : null, read);
  // Newest first, what comes belongs on top of the first page; otherwise it has a list of its own.
  const isOneList = isNewestFirst && isFirst;
  const order = isNewestFirst ? 'newest first' : 'oldest first';
  const go = (cursor: string | undefined) => {
    const { cursor: _, ...rest } = filters;
    void navigate({ to: '/audit', search: cursor === undefined ? rest : { ...rest, cursor } });
  };
  const turn = (oldest: boolean) =>
    void navigate({ to: '/audit', search: { ...conditionsOf(filters), ...(oldest && { order: 'oldest' }) } });
  return (
    <>
      <ListHead
        title={`Matching events, ${order}`}
        live={live}
        wantsLive={wantsLive}
        setWantsLive={setWantsLive}
      >
        <Switch
          label="Oldest first"
          checked={!isNewestFirst}
          onChange={({ currentTarget }) => turn(currentTarget.checked)}
        />
      </ListHead>
      {wantsLive && !isOneList && live.events.length > 0 && (
        <EventTable events={live.events} caption="Events as they come, newest first" />
      )}
      {wantsLive && !isOneList && live.events.length === 0 && (
        <Empty title="Waiting for matching events">They appear here as they are recorded.</Empty>
      )}
      <Loaded query={query} what="Looking in the index">
        {({ events, nextCursor }) => {
          const all = isOneList ? withLive(live, events) : events;
          return all.length === 0 ? (
            <Empty title="No event matches">
              Take a filter away, or widen the time. The index is a moment behind what was just recorded.
            </Empty>
          ) : (
            <>
              <EventTable events={all} caption={`Matching events, ${order}`} />
              <CursorPaging
                cursor={filters.cursor}
                nextCursor={nextCursor}
                count={all.length}
                what="event"
                go={go}
              />
              {/* What was saved is of these filters. */}
              <ExportPanel key={filterQuery(filters)} filters={filters} />
            </>
          );
        }}
      </Loaded>
    </>
  );
}

const LIVE_TEXTS = {
  off: 'Live is paused',
  connecting: 'Connecting',
  on: 'Live',
  refused: 'The kernel refuses the stream',
};

function ListHead({
  title,
  live,
  wantsLive,
  setWantsLive,
  children,
}: {
  title: string;
  live: Live | null;
  wantsLive: boolean;
  setWantsLive: (wants: boolean) => void;
  /** Beside the switch that it has. */
  children?: ReactNode;
}): ReactNode {
  return (
    <Group justify="space-between" mt="lg" mb="xs">
      <Text component="h2" fw={650} size="lg" m={0}>
        {title}
      </Text>
      {live !== null && (
        <Group gap="sm">
          {children}
          {wantsLive && (
            <Badge
              variant="outline"
              color={live.state === 'on' ? 'teal' : 'gray'}
              role="status"
              autoContrast
              styles={{ label: { color: 'var(--mantine-color-text)' } }}
            >
              {LIVE_TEXTS[live.state]}
            </Badge>
          )}
          <Switch
            label="As they come"
            checked={wantsLive}
            onChange={({ currentTarget }) => setWantsLive(currentTarget.checked)}
          />
        </Group>
      )}
    </Group>
  );
}
