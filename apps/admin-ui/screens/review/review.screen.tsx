import './review.css';
import { Alert, Badge, Button, Group, NativeSelect, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useEffect, useId, useState } from 'react';
import { flushSync } from 'react-dom';
import { CopyButton } from '../../parts/copy-button';
import { Digest } from '../../parts/digest';
import { saveFile } from '../../parts/download';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { timeText } from '../../parts/time-text';
import { UpgradeLink } from '../../parts/upgrade-link';
import { visibleText } from '../../parts/visible-text';
import { permitted, shownName, useSession } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { STATUS_NAMES, STATUSES } from '../upgrades/lists';
import { Part } from '../upgrades/part';
import { StatusBadge } from '../upgrades/status-badge';
import { fileName, reviewLines } from './review-lines';
import { type Act, MOST_UPGRADES, type Report, type Reviewed } from './report';
import { reportQuery } from './review-query';
import { asked, presets, readReviewSearch, type ReviewSearch, whyNoPeriod } from './review-search';
import { actWords, durationText, OUTCOMES, separationWords } from './review-words';

const route = getRouteApi('/review');

export function ReviewScreen(): ReactNode {
  return (
    <Permitted action="upgrade.read" title="Review">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const search = route.useSearch();
  const wanted = asked(search);
  return (
    <>
      <PageTitle>Review</PageTitle>
      <Stack gap="lg">
        <div className="on-screen">
          <Text size="sm" mb="md">
            Who proposed, decided and applied what in a period, from the chain. Days and times are those of
            UTC.
          </Text>
          <Presets search={search} />
          {/* A form of its own for each address: what is chosen belongs to what is seen. */}
          <PeriodForm key={JSON.stringify(search)} search={search} />
        </div>
        {wanted === null ? (
          <Empty title="Choose a period">
            The history never expires: any period of the past can be asked for.
          </Empty>
        ) : (
          <Found wanted={wanted} search={search} />
        )}
      </Stack>
    </>
  );
}

/** Links, not buttons: each period has an address. */
function Presets({ search }: { search: ReviewSearch }): ReactNode {
  const { person, type, status } = search;
  const [now] = useState(Date.now);
  return (
    <Group component="nav" aria-label="Periods" gap="lg" mb="md">
      {presets(now).map(({ label, from, to }) => (
        <PageLink
          key={label}
          to="/review"
          search={readReviewSearch({ person, type, status, from, to })}
          {...(from === search.from && to === search.to && { 'aria-current': 'page' as const, fw: 700 })}
        >
          {label}
        </PageLink>
      ))}
    </Group>
  );
}

function PeriodForm({ search }: { search: ReviewSearch }): ReactNode {
  const navigate = useNavigate();
  const id = useId();
  const [typed, setTyped] = useState({
    from: search.from ?? '',
    to: search.to ?? '',
    person: search.person ?? '',
    type: search.type ?? '',
    status: search.status ?? '',
  });
  const [problem, setProblem] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const why = whyNoPeriod(typed.from, typed.to);
    setProblem(why);
    if (why === null) void navigate({ to: '/review', search: readReviewSearch(typed) });
  };
  const set = (name: keyof typeof typed) => (event: { currentTarget: { value: string } }) =>
    setTyped({ ...typed, [name]: event.currentTarget.value });
  const text = { maxLength: 2048, spellCheck: false, autoComplete: 'off' };
  return (
    <form onSubmit={submit} aria-label="Period and filters" noValidate>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 5 }} spacing="sm">
        <TextInput label="First day" type="date" value={typed.from} onChange={set('from')} />
        <TextInput label="Last day" type="date" value={typed.to} onChange={set('to')} />
        <TextInput
          label="Person"
          placeholder="an approver, or who calls"
          value={typed.person}
          onChange={set('person')}
          {...text}
        />
        <TextInput label="Type" placeholder="code" value={typed.type} onChange={set('type')} {...text} />
        <NativeSelect
          label="Status at the end"
          value={typed.status}
          onChange={set('status')}
          data={[
            { value: '', label: 'all' },
            ...STATUS_NAMES.map((name) => ({ value: name, label: STATUSES[name].label })),
          ]}
        />
      </SimpleGrid>
      <Group mt="sm">
        <Button type="submit" size="sm" {...(problem !== null && { 'aria-describedby': id })}>
          Report
        </Button>
        {problem !== null && (
          <Text size="sm" role="alert" id={id}>
            {problem}
          </Text>
        )}
      </Group>
    </form>
  );
}

function Found({
  wanted,
  search,
}: {
  wanted: ReviewSearch & { from: string; to: string };
  search: ReviewSearch;
}): ReactNode {
  const query = useQuery(reportQuery(wanted));
  return (
    <Loaded query={query} what="Reading what happened">
      {(report) => <Shown report={report} search={search} again={() => void query.refetch()} />}
    </Loaded>
  );
}

/** Upgrades that are drawn at first; the others on demand, and all of them on paper. */
const DRAWN = 50;

function Shown({
  report,
  search,
  again,
}: {
  report: Report;
  search: ReviewSearch;
  again: () => void;
}): ReactNode {
  const { upgrades, isCut } = report;
  const [isAll, setAll] = useState(upgrades.length <= DRAWN);
  useEffect(() => {
    // Before the browser lays the pages out, however printing was asked for.
    const all = () => flushSync(() => setAll(true));
    addEventListener('beforeprint', all);
    return () => removeEventListener('beforeprint', all);
  }, []);
  const drawn = isAll ? upgrades : upgrades.slice(0, DRAWN);
  return (
    <>
      {isCut && (
        <Alert
          color="yellow"
          role="alert"
          title={`Cut: these are the first ${MOST_UPGRADES.toLocaleString('en')} upgrades`}
        >
          <Text size="sm">
            More happened in the period, and the summary is of these alone. Choose a shorter period, or let
            the command get all of it:
          </Text>
          <Group gap="xs" mt="xs">
            <span className="mono breaks">{commandLine(report, search)}</span>
            <CopyButton text={commandLine(report, search)} what="the command" />
          </Group>
        </Alert>
      )}
      <Part title="This report">
        <Source report={report} search={search} />
        <Group mt="md" className="on-screen">
          <Button
            size="sm"
            onClick={() => saveFile(new Blob([reviewLines(report)], { type: 'text/csv' }), fileName(report))}
          >
            Save as CSV
          </Button>
          <Button size="sm" variant="default" onClick={() => print()}>
            Print
          </Button>
          {!report.closed && search.through === undefined && (
            <Button size="sm" variant="default" onClick={again}>
              Make it again
            </Button>
          )}
        </Group>
      </Part>
      <Part title="Summary">
        <Summary report={report} />
      </Part>
      <Part title="Upgrades">
        {upgrades.length === 0 ? (
          <Empty title="Nothing happened to any upgrade">
            {hasFilters(search) ? 'Take a filter away, or choose another period.' : 'Choose another period.'}
          </Empty>
        ) : (
          drawn.map((upgrade) => <ReviewedItem key={upgrade.upgradeId} upgrade={upgrade} />)
        )}
        {drawn.length < upgrades.length && (
          <Group mt="sm">
            <Button size="sm" variant="default" onClick={() => setAll(true)}>
              Show the other {(upgrades.length - drawn.length).toLocaleString('en')}
            </Button>
          </Group>
        )}
      </Part>
    </>
  );
}

const hasFilters = ({ person, type, status }: ReviewSearch) =>
  person !== undefined || type !== undefined || status !== undefined;

/** The line for a shell that makes this report, up to the same position. */
function commandLine({ period, through }: Report, { person, type, status }: ReviewSearch): string {
  const options = { from: period.from, to: period.to, through: through.position, person, type, status };
  const words = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} '${value.replaceAll("'", `'\\''`)}'`],
  );
  return `./kernel upgrade review ${words.join(' ')} --csv > review.csv`;
}

/** A time in UTC, and said to be: a report is read in other places than it was made. */
function Utc({ at }: { at: string }): ReactNode {
  return (
    <time dateTime={at} className="numbers">
      {timeText(at, 'utc')}
    </time>
  );
}

function Source({ report, search }: { report: Report; search: ReviewSearch }): ReactNode {
  const session = useSession();
  const { origin, period, through, closed, madeAt } = report;
  const filters = Object.entries({ person: search.person, type: search.type, status: search.status })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${visibleText(value ?? '')}`);
  return (
    <dl className="facts">
      <dt>Kernel</dt>
      <dd>{visibleText(origin)}</dd>
      <dt>Period</dt>
      <dd>
        <Utc at={period.from} /> up to, and without, <Utc at={period.to} />
      </dd>
      {filters.length > 0 && (
        <>
          <dt>Only</dt>
          <dd>{filters.join(', ')}</dd>
        </>
      )}
      <dt>Goes up to</dt>
      <dd>
        position <span className="mono">{through.position}</span> of the chain
        {through.at !== null && (
          <>
            , recorded <Utc at={through.at} />
          </>
        )}
        {through.hash !== null && <Digest value={through.hash} what="the hash of that event" whole />}
      </dd>
      <dt>Standing</dt>
      <dd>
        {closed ? (
          'Final: the chain goes on behind the period, so the same report comes out for ever.'
        ) : (
          <>
            Not final: later events may belong to it.{' '}
            <PageLink to="/review" search={{ ...search, through: through.position }}>
              This address
            </PageLink>{' '}
            has it again as it is.
          </>
        )}
      </dd>
      <dt>Made</dt>
      <dd>
        <Utc at={madeAt} /> by {visibleText(shownName(session))} ({visibleText(session.principal)})
      </dd>
    </dl>
  );
}

type Counts = Report['counts'];
const COUNTS: readonly (readonly [keyof Counts, string])[] = [
  ['upgrades', 'Upgrades'],
  ['proposed', 'Proposed'],
  ['applied', 'Applied with quorum'],
  ['emergencies', 'Emergencies'],
  ['ratified', 'Ratified'],
  ['rejected', 'Rejected'],
  ['withdrawn', 'Withdrawn'],
  ['expired', 'Expired'],
  ['completed', 'Completed'],
  ['failed', 'Failed'],
  ['rolledBack', 'Rolled back'],
  ['refusedSignatures', 'Refused signatures'],
];

function Summary({ report: { counts } }: { report: Report }): ReactNode {
  const { decidedOwn, unratified, ratificationsRejected, appliedByProposer, appliedByApprovers } = counts;
  const of = (count: number, one: string, many: string, none: string) =>
    count === 0 ? none : count === 1 ? `1 ${one}` : `${count} ${many}`;
  return (
    <Stack>
      <dl className="counts">
        {COUNTS.map(([name, label]) => (
          <div key={name}>
            <dt>{label}</dt>
            <dd className="numbers">{counts[name].toLocaleString('en')}</dd>
          </div>
        ))}
      </dl>
      <div>
        <Text component="h3" fw={600} m={0} mb={4}>
          Separation of duties
        </Text>
        <ul className="acts">
          <li>
            {of(
              decidedOwn,
              'upgrade has a signature of somebody who had proposed or applied it.',
              'upgrades have a signature of somebody who had proposed or applied them.',
              'Nobody signed about what they had proposed, or applied in an emergency.',
            )}
          </li>
          <li>
            {of(
              unratified,
              'emergency was not ratified in time.',
              'emergencies were not ratified in time.',
              'No emergency was left unratified beyond its time.',
            )}
          </li>
          {ratificationsRejected > 0 && (
            <li>
              {of(ratificationsRejected, 'ratification was rejected.', 'ratifications were rejected.', '')}
            </li>
          )}
          <li>
            {of(
              appliedByProposer,
              'upgrade was applied by who had proposed it.',
              'upgrades were applied by who had proposed them.',
              'No upgrade was applied by who had proposed it.',
            )}
          </li>
          <li>
            {of(
              appliedByApprovers,
              'upgrade was applied by one of those who counted for it.',
              'upgrades were applied by one of those who counted for them.',
              'No upgrade was applied by one of those who counted for it.',
            )}
          </li>
        </ul>
      </div>
    </Stack>
  );
}

function ReviewedItem({ upgrade }: { upgrade: Reviewed }): ReactNode {
  const id = useId();
  const { upgradeId, type, change, rationale, status, reason, application, emergency, manifestSha256 } =
    upgrade;
  const duties = separationWords(upgrade);
  return (
    <article className="reviewed" aria-labelledby={id}>
      <Group gap="sm" mb={4}>
        <Text component="h3" id={id} fw={650} className="breaks">
          <UpgradeLink id={upgradeId} />
        </Text>
        <StatusBadge status={status} />
        {emergency !== null && (
          <Badge variant="outline" color="red" styles={{ label: { color: 'var(--mantine-color-text)' } }}>
            emergency
          </Badge>
        )}
      </Group>
      <Text size="sm" mb="xs" className="breaks">
        {visibleText(type)}: {visibleText(change)}
      </Text>
      <dl className="facts">
        <dt>Why</dt>
        <dd className="lines">{visibleText(rationale)}</dd>
        <dt>Proposed</dt>
        <dd>
          <Utc at={upgrade.proposedAt} /> by {visibleText(upgrade.proposedBy)}
          {upgrade.submittedBy !== upgrade.proposedBy &&
            ` (for ${visibleText(upgrade.submittedBy)}, it says)`}
        </dd>
        <dt>Applied</dt>
        <dd>
          {application === null ? (
            'Not up to the end of this report'
          ) : (
            <>
              <Utc at={application.at} /> by {visibleText(application.by)}
              {application.claimedBy !== null &&
                application.claimedBy !== application.by &&
                ` (for ${visibleText(application.claimedBy)}, it says)`}
              , {durationText(application.secondsFromProposal)} after the proposal;{' '}
              {application.approvers.length} of {application.required} counted
              {application.approvers.length > 0 && `: ${application.approvers.map(visibleText).join(', ')}`}
            </>
          )}
        </dd>
        {emergency !== null && (
          <>
            <dt>Emergency</dt>
            <dd>
              <div className="lines">{visibleText(emergency.reason)}</div>
              To be ratified by <Utc at={emergency.ratifyBy} />:{' '}
              <strong>{OUTCOMES[emergency.outcome]}</strong>
              {emergency.endedAt !== null && (
                <>
                  {' '}
                  (<Utc at={emergency.endedAt} />)
                </>
              )}
            </dd>
          </>
        )}
        {reason !== null && reason !== emergency?.reason && (
          <>
            <dt>Reason</dt>
            <dd>{visibleText(reason)}</dd>
          </>
        )}
        <dt>Duties</dt>
        <dd>
          {duties.length > 0
            ? duties.map(visibleText).join(' ')
            : application === null
              ? 'Nobody signed about what they had proposed.'
              : application.approvers.length === 0
                ? 'Who proposed it and who applied it differ, by what the pool knows of them.'
                : 'Who proposed it, who counted and who applied it differ, by what the pool knows of them.'}
        </dd>
        <dt>Manifest</dt>
        <dd>
          <Digest value={manifestSha256} what={`the digest of the manifest of ${upgradeId}`} whole />
        </dd>
        <dt>What happened</dt>
        <dd>
          <ul className="acts">
            {upgrade.acts.map((act) => (
              <ActItem key={act.eventId} act={act} />
            ))}
          </ul>
        </dd>
      </dl>
    </article>
  );
}

function ActItem({ act }: { act: Act }): ReactNode {
  const mayReadChain = permitted(useSession(), 'audit.read') === 'all';
  const { at, text, eventId, position, inPeriod } = act;
  return (
    <li>
      <Utc at={at} />: {visibleText(actWords(act))}
      {text !== null && `: ${visibleText(text)}`}{' '}
      {mayReadChain ? (
        <PageLink to="/audit/$id" params={{ id: eventId }} aria-label={`The event at ${position}`}>
          {position}
        </PageLink>
      ) : (
        <span className="mono">{position}</span>
      )}
      {!inPeriod && (
        <Text span size="sm" c="dimmed">
          {' '}
          before the period
        </Text>
      )}
    </li>
  );
}
