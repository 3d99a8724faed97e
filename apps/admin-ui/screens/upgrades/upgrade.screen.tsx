import { Badge, Group, Stack, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode, useMemo } from 'react';
import { type JsonObject, manifestDigest } from '#evidence';
import { whileAttended } from '../../api/attention';
import { ApiProblem } from '../../api/problem';
import { type Upgrade, upgradeQuery } from '../../api/queries';
import { DataTable } from '../../parts/cursor-table';
import { Digest } from '../../parts/digest';
import { Download } from '../../parts/download';
import { JsonView } from '../../parts/json-view';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Failure, Loaded } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { permitted, useSession } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { Commands } from './commands';
import { Decide } from './decide';
import { Difference } from './difference';
import { endOf, STATUSES } from './lists';
import { Part } from './part';
import { StatusBadge } from './status-badge';
import { approversQuery, fetchEvidence, type Timeline } from './upgrade-queries';
import { signersOf, type Standing } from './who-signs';

const route = getRouteApi('/upgrades/$id');
const EVERY_MS = 15_000;

export function UpgradeScreen(): ReactNode {
  return (
    <Permitted action="upgrade.read" title="Upgrade">
      <UpgradePage />
    </Permitted>
  );
}

function UpgradePage(): ReactNode {
  const { id } = route.useParams();
  const { do: open } = route.useSearch();
  const query = useQuery({ ...upgradeQuery(id), refetchInterval: whileAttended(EVERY_MS) });
  if (query.error instanceof ApiProblem && query.error.status === 404) {
    return (
      <>
        <PageTitle>Upgrade</PageTitle>
        <Empty title="There is no upgrade with this id">
          <PageLink to="/upgrades" search={{ view: 'all' }}>
            See the list of all
          </PageLink>
        </Empty>
      </>
    );
  }
  return (
    <Loaded query={query} what="Reading the upgrade">
      {({ upgrade, timeline }) => (
        <>
          <PageTitle aside={<StatusBadge status={upgrade.status} />}>
            {visibleText(upgrade.upgradeId)}
          </PageTitle>
          {/* Drafts and what was told belong to one upgrade. */}
          <Stack gap="lg" key={upgrade.upgradeId}>
            <Part title="What it is">
              <Facts upgrade={upgrade} />
            </Part>
            <Part title="What it changes">
              <Difference
                manifest={upgrade.manifest as JsonObject}
                isClosed={!STATUSES[upgrade.status].isOpen}
              />
            </Part>
            <Part title="Who decides">
              <Quorum upgrade={upgrade} />
            </Part>
            <Part title="Sign">
              <Decide upgrade={upgrade} />
            </Part>
            {upgrade.preconditions.length > 0 && (
              <Part title="Checks that must have passed">
                <Checks upgrade={upgrade} />
              </Part>
            )}
            <Part title="What can be done">
              <Commands upgrade={upgrade} open={open} />
            </Part>
            <Part title="Manifest">
              <JsonView value={upgrade.manifest} what="Manifest, as JSON" />
            </Part>
            <Part title="What happened">
              <Happened timeline={timeline} />
            </Part>
            <Part title="Evidence">
              <Evidence id={upgrade.upgradeId} />
            </Part>
          </Stack>
        </>
      )}
    </Loaded>
  );
}

function Facts({ upgrade }: { upgrade: Upgrade }): ReactNode {
  const { manifest, manifestSha256, patchSha256, proposedBy, submittedBy, submittedAt, reason, type } =
    upgrade;
  const computed = useMemo(() => manifestDigest(manifest as JsonObject), [manifest]);
  const end = endOf(upgrade);
  const { target, rationale } = manifest;
  return (
    <dl className="facts">
      <dt>Status</dt>
      <dd>{STATUSES[upgrade.status].meaning}</dd>
      {end !== null && (
        <>
          <dt>{upgrade.status === 'emergency_applied' ? 'To be ratified by' : 'Ends'}</dt>
          <dd>
            <Time at={end} /> (<Age at={end} />)
          </dd>
        </>
      )}
      {reason !== null && (
        <>
          <dt>Reason</dt>
          <dd>{visibleText(reason)}</dd>
        </>
      )}
      <dt>Type</dt>
      <dd>{visibleText(type)}</dd>
      {target !== undefined && (
        <>
          <dt>Target</dt>
          <dd>{visibleText(typeof target === 'string' ? target : JSON.stringify(target))}</dd>
        </>
      )}
      <dt>Rationale</dt>
      <dd className="lines">{visibleText(typeof rationale === 'string' ? rationale : '')}</dd>
      <dt>Proposed</dt>
      <dd>
        <Time at={submittedAt} /> by {visibleText(proposedBy)}
        {submittedBy !== proposedBy && ` (for ${visibleText(submittedBy)}, it says)`}
      </dd>
      <dt>Manifest, SHA-256</dt>
      <dd>
        <Digest value={computed} what="the digest of the manifest" whole />
        {computed === manifestSha256 ? (
          <Text size="sm" c="dimmed">
            Made in this page from the manifest below. Compare it with a second device:{' '}
            <span className="mono">./kernel upgrade show</span> prints it as sha256.
          </Text>
        ) : (
          <Text fw={700} role="alert">
            The kernel says another digest, {manifestSha256}: do not sign this, and tell your operators.
          </Text>
        )}
      </dd>
      {patchSha256 !== null && (
        <>
          <dt>Artifact, SHA-256</dt>
          <dd>
            <Digest value={patchSha256} what="the digest of the artifact" whole />
          </dd>
        </>
      )}
    </dl>
  );
}

const STANDINGS: Readonly<Record<Standing, { label: string; color: string }>> = {
  counts: { label: 'counts', color: 'teal' },
  rejects: { label: 'rejects', color: 'red' },
  'may-sign': { label: 'may sign', color: 'blue' },
  'may-not': { label: 'may not', color: 'gray' },
};

function Quorum({ upgrade }: { upgrade: Upgrade }): ReactNode {
  const query = useQuery(approversQuery);
  const { quorum, status } = upgrade;
  const { isOpen } = STATUSES[status];
  const what = quorum.action === 'ratify' ? 'ratifications' : 'approvals';
  return (
    <>
      <Text mb="xs">
        <strong>
          {quorum.approvers.length} of {quorum.required}
        </strong>{' '}
        {what} {isOpen ? 'count now' : 'counted'}
        {isOpen && (quorum.reached ? '; the quorum is reached' : `; ${quorum.missing} more needed`)}.{' '}
        {quorum.rejection.approvers.length > 0 &&
          `${quorum.rejection.approvers.length} of ${quorum.rejection.required} reject it.`}{' '}
        {isOpen &&
          quorum.rejection.approvers.length === 0 &&
          `${quorum.rejection.required} ${quorum.rejection.required === 1 ? 'rejection ends' : 'rejections end'} it.`}
      </Text>
      <Loaded query={query} what="Reading the pool">
        {(pool) => (
          <DataTable
            caption="Approvers, and where they stand"
            rows={signersOf(upgrade, pool)}
            keyOf={({ id }) => id}
            columns={[
              {
                title: 'Approver',
                cell: ({ id, name }) => (
                  <>
                    <Text inherit fw={600} className="breaks">
                      {visibleText(name)}
                    </Text>
                    {name !== id && (
                      <Text size="xs" c="dimmed" className="breaks">
                        {visibleText(id)}
                      </Text>
                    )}
                  </>
                ),
              },
              {
                title: 'Stands',
                isWhole: true,
                cell: ({ standing }) => (
                  <Badge
                    variant="outline"
                    color={STANDINGS[standing].color}
                    miw="max-content"
                    styles={{ label: { color: 'var(--mantine-color-text)' } }}
                  >
                    {STANDINGS[standing].label}
                  </Badge>
                ),
              },
              { title: 'Why', cell: ({ why }) => <span className="breaks">{visibleText(why)}</span> },
            ]}
          />
        )}
      </Loaded>
    </>
  );
}

function Checks({ upgrade: { preconditions } }: { upgrade: Upgrade }): ReactNode {
  return (
    <Stack gap="xs" component="ul" m={0} p={0} className="plain-list">
      {preconditions.map(({ name, passed }) => (
        <li key={name}>
          <Text span fw={600} className="breaks">
            {visibleText(name)}
          </Text>
          : {passed === null ? 'not reported yet' : passed ? 'passed' : 'failed'}
        </li>
      ))}
      <li>
        <Text size="sm" c="dimmed">
          Reported by a service other than the proposer: ./kernel upgrade check
        </Text>
      </li>
    </Stack>
  );
}

function Happened({ timeline }: { timeline: Timeline }): ReactNode {
  const mayOpen = permitted(useSession(), 'audit.read') === 'all';
  return (
    <Stack gap="sm" component="ol" m={0} p={0} className="plain-list">
      {timeline.map(({ id, type, ts, actor, position, payload }) => (
        <li key={id}>
          <Group gap="sm" justify="space-between">
            <Text fw={600} className="breaks">
              {mayOpen ? (
                <PageLink to="/audit/$id" params={{ id }}>
                  {type}
                </PageLink>
              ) : (
                type
              )}
            </Text>
            <Text size="sm" c="dimmed">
              <Time at={ts} />, at {position}
            </Text>
          </Group>
          <Text size="sm" className="breaks">
            by {visibleText(actor.id)}
          </Text>
          <details>
            <summary>What was recorded</summary>
            <JsonView value={payload} what={`Payload at ${position}`} />
          </details>
        </li>
      ))}
    </Stack>
  );
}

function Evidence({ id }: { id: string }): ReactNode {
  const fetched = useMutation({ mutationFn: () => fetchEvidence(id) });
  const isAnchored = (fetched.data ?? '').includes('"proofs":["');
  return (
    <Stack gap="sm" align="flex-start">
      <Text size="sm">
        Everything that proves this upgrade, in one file. It is checked without the kernel:{' '}
        <span className="mono breaks">node tools/audit-verify.js --upgrade FILE --signers signers.json</span>,
        or in tools/verify.html.
      </Text>
      <WhyButton why={null} variant="default" loading={fetched.isPending} onClick={() => fetched.mutate()}>
        {fetched.data === undefined ? 'Fetch the evidence' : 'Fetch it again'}
      </WhyButton>
      {fetched.error !== null && <Failure error={fetched.error} />}
      {fetched.data !== undefined && (
        <>
          <Text size="sm" role="status">
            {isAnchored
              ? 'It is anchored in the published log.'
              : 'It is not anchored yet: no published checkpoint has all of it. Fetch it again in a moment, or check it with --without-proofs.'}
          </Text>
          <Download
            text={fetched.data}
            name={`${id.replaceAll(/[^A-Za-z0-9._-]/g, '_')}.evidence.json`}
            type="application/json"
          >
            Save the evidence
          </Download>
        </>
      )}
    </Stack>
  );
}
