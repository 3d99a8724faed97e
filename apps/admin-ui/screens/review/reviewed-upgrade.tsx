import { Badge, Group, Text } from '@mantine/core';
import { type ReactNode, useId } from 'react';
import { Digest } from '../../parts/digest';
import { PageLink } from '../../parts/page-link';
import { UpgradeLink } from '../../parts/upgrade-link';
import { visibleText } from '../../parts/visible-text';
import { permitted, useSession } from '../../session/session';
import { StatusBadge } from '../upgrades/status-badge';
import { type Act, type Reviewed } from './report';
import { actWords, durationText, OUTCOMES, separationWords } from './review-words';
import { Utc } from './utc';

/** One upgrade of a report: who did what to it, and when. */
export function ReviewedUpgrade({ upgrade }: { upgrade: Reviewed }): ReactNode {
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
