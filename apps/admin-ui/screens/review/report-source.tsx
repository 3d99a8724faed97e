import { type ReactNode } from 'react';
import { Digest } from '../../parts/digest';
import { PageLink } from '../../parts/page-link';
import { visibleText } from '../../parts/visible-text';
import { shownName, useSession } from '../../session/session';
import { type Report } from './report';
import { type ReviewSearch } from './review-search';
import { Utc } from './utc';

/** What a report is of, up to which position of the chain, and who made it. */
export function ReportSource({ report, search }: { report: Report; search: ReviewSearch }): ReactNode {
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
