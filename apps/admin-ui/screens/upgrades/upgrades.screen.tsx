import { Button, Group, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { type UpgradeSummary, upgradeQuery } from '../../api/queries';
import { type Column, CursorPaging, DataTable } from '../../parts/cursor-table';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Failure, Loaded, Loading } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { UpgradeLink } from '../../parts/upgrade-link';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { permitted, type Session, useSession, whyNot } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import {
  belongs,
  endOf,
  type ListSearch,
  needOf,
  readListSearch,
  STATUS_NAMES,
  STATUSES,
  statusesThatNeed,
  type ViewName,
  VIEWS,
} from './lists';
import { StatusBadge } from './status-badge';
import { listQuery, PAGE } from './upgrade-queries';

const route = getRouteApi('/upgrades');

export function UpgradesScreen(): ReactNode {
  return (
    <Permitted action="upgrade.read" title="Upgrades">
      <Upgrades />
    </Permitted>
  );
}

function Upgrades(): ReactNode {
  const search = route.useSearch();
  const session = useSession();
  const navigate = useNavigate();
  const view = search.view ?? (session.approverId !== null ? 'needs-me' : 'all');
  return (
    <>
      <PageTitle
        aside={
          <WhyButton
            why={whyNot(session, 'upgrade.propose')}
            onClick={() => void navigate({ to: '/propose' })}
          >
            Propose an upgrade
          </WhyButton>
        }
      >
        Upgrades
      </PageTitle>
      <Views view={view} />
      {view === 'needs-me' ? (
        <NeedsMe session={session} />
      ) : (
        <>
          {/* A form of its own for each address: what is chosen belongs to what is seen. */}
          {view !== 'mine' && <FilterForm key={JSON.stringify(search)} search={search} view={view} />}
          <Listed search={search} view={view} session={session} />
        </>
      )}
    </>
  );
}

/** Links, not buttons: each list has an address. */
function Views({ view }: { view: ViewName }): ReactNode {
  return (
    <Group component="nav" aria-label="Lists" gap="lg" mb="md">
      {VIEWS.map(({ name, label }) => (
        <PageLink
          key={name}
          to="/upgrades"
          search={{ view: name }}
          {...(name === view && { 'aria-current': 'page' as const, fw: 700 })}
        >
          {label}
        </PageLink>
      ))}
    </Group>
  );
}

function FilterForm({ search, view }: { search: ListSearch; view: ViewName }): ReactNode {
  const navigate = useNavigate();
  const [status, setStatus] = useState<string>(search.status ?? '');
  const [type, setType] = useState(search.type ?? '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void navigate({ to: '/upgrades', search: readListSearch({ view, status, type }) });
  };
  const statuses = STATUS_NAMES.filter((name) => view !== 'history' || !STATUSES[name].isOpen);
  return (
    <form onSubmit={submit} aria-label="Filters">
      <Group align="flex-end" gap="sm" mb="md">
        <NativeSelect
          label="Status"
          value={status}
          onChange={({ currentTarget: { value } }) => setStatus(value)}
          data={[
            { value: '', label: view === 'history' ? 'all that are over' : 'all' },
            ...statuses.map((name) => ({ value: name, label: STATUSES[name].label })),
          ]}
        />
        <TextInput
          label="Type"
          placeholder="code"
          value={type}
          maxLength={64}
          spellCheck={false}
          autoComplete="off"
          onChange={({ currentTarget: { value } }) => setType(value)}
        />
        <Button type="submit" size="sm">
          Apply
        </Button>
      </Group>
    </form>
  );
}

const COLUMNS: readonly Column<UpgradeSummary>[] = [
  {
    title: 'Upgrade',
    cell: ({ upgradeId, type, manifest, status }) => (
      <>
        <Text inherit fw={600}>
          <UpgradeLink id={upgradeId} />
        </Text>
        <Text size="xs" c="dimmed" className="breaks">
          {visibleText(type)}
          {typeof manifest['target'] === 'string' && `, ${visibleText(manifest['target'])}`}
        </Text>
        <Group hiddenFrom="md" mt={4}>
          <StatusBadge status={status} />
        </Group>
      </>
    ),
  },
  { title: 'Status', isExtra: true, isWhole: true, cell: ({ status }) => <StatusBadge status={status} /> },
  {
    title: 'Proposed by',
    isExtra: true,
    cell: ({ proposedBy }) => <span className="breaks">{visibleText(proposedBy)}</span>,
  },
  { title: 'Proposed', isExtra: true, isWhole: true, cell: ({ submittedAt }) => <Time at={submittedAt} /> },
  {
    title: 'Ends',
    cell: (upgrade) => {
      const end = endOf(upgrade);
      return end === null ? null : <Age at={end} />;
    },
  },
];

function Listed({
  search,
  view,
  session,
}: {
  search: ListSearch;
  view: ViewName;
  session: Session;
}): ReactNode {
  const navigate = useNavigate();
  const { view: _, ...filters } = search;
  const query = useQuery(listQuery(filters));
  const go = (cursor: string | undefined) => {
    const { cursor: __, ...rest } = search;
    void navigate({ to: '/upgrades', search: cursor === undefined ? rest : { ...rest, cursor } });
  };
  return (
    <Loaded query={query} what="Reading upgrades">
      {({ upgrades, nextCursor }) => {
        const rows = upgrades.filter((upgrade) => belongs(view, upgrade, session.principal));
        return (
          <>
            {rows.length === 0 ? (
              <Empty title={EMPTY[view]}>
                {nextCursor === null
                  ? 'That is all there is.'
                  : 'None on this page; older ones may be on the next.'}
              </Empty>
            ) : (
              <DataTable
                caption="Upgrades, newest first"
                columns={COLUMNS}
                rows={rows}
                keyOf={({ upgradeId }) => upgradeId}
              />
            )}
            <CursorPaging
              cursor={search.cursor}
              nextCursor={nextCursor}
              count={rows.length}
              what="upgrade"
              go={go}
            />
          </>
        );
      }}
    </Loaded>
  );
}

const EMPTY: Readonly<Record<ViewName, string>> = {
  'needs-me': 'Nothing needs you',
  mine: 'You have proposed none of these',
  all: 'There is no such upgrade',
  history: 'Nothing of that kind is over',
};

/** Most upgrades that are looked at one by one: whether somebody may still sign is in each alone. */
const MOST_LOOKED_AT = 40;

/** What waits for this person, the most urgent first. */
function NeedsMe({ session }: { session: Session }): ReactNode {
  const me = {
    approverId: session.approverId,
    applies: permitted(session, 'upgrade.apply') !== false,
    proposes: permitted(session, 'upgrade.propose') !== false,
  };
  const lists = useQueries({ queries: statusesThatNeed(me).map((status) => listQuery({ status })) });
  const found = lists.flatMap(({ data }) => data?.upgrades ?? []);
  const looked = found.slice(0, MOST_LOOKED_AT);
  const details = useQueries({ queries: looked.map(({ upgradeId }) => upgradeQuery(upgradeId)) });
  const failed = [...lists, ...details].find(({ error }) => error !== null);
  const isLoading = [...lists, ...details].some((one) => one.isLoading);
  const items = details.flatMap(({ data }) => {
    const need = data === undefined ? null : needOf(data.upgrade, me);
    return data === undefined || need === null ? [] : [{ upgrade: data.upgrade, need }];
  });
  const isCut =
    found.length > MOST_LOOKED_AT || lists.some(({ data }) => typeof data?.nextCursor === 'string');
  if (isLoading) return <Loading what="Looking for what needs you" />;
  if (failed !== undefined) return <Failure error={failed.error} retry={() => void failed.refetch()} />;
  return (
    <Stack>
      {items.length === 0 ? (
        <Empty title="Nothing needs you">
          {me.approverId === null && !me.applies
            ? 'You are no approver, and your role applies no upgrades.'
            : 'No upgrade waits for your signature, or to be applied by you.'}
        </Empty>
      ) : (
        <DataTable
          caption="Upgrades that need you, the most urgent first"
          columns={[
            { title: 'What to do', isWhole: true, cell: ({ need }) => <strong>{need}</strong> },
            ...COLUMNS.map((column): Column<(typeof items)[number]> => ({
              ...column,
              cell: ({ upgrade }) => column.cell(upgrade),
            })),
          ]}
          rows={items}
          keyOf={({ upgrade }) => upgrade.upgradeId}
        />
      )}
      {isCut && (
        <Text size="sm">
          Only the newest {MOST_LOOKED_AT} (of {PAGE} and more) were looked at one by one; there may be others
          in{' '}
          <PageLink to="/upgrades" search={{ view: 'all' }}>
            the list of all
          </PageLink>
          .
        </Text>
      )}
    </Stack>
  );
}
