import { Alert, Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { answered, api } from '../../api/client';
import { useConnection } from '../../api/connection';
import { useCommand } from '../../api/use-command';
import { DataTable } from '../../parts/cursor-table';
import { Digest } from '../../parts/digest';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Failure, Loaded } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { UpgradeLink } from '../../parts/upgrade-link';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { useDraft } from '../../session/draft';
import { permitted, useSession } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { Part } from '../upgrades/part';
import { StatusBadge } from '../upgrades/status-badge';
import { type Approvers, approversQuery, type PoolMember } from '../upgrades/upgrade-queries';
import { describeKey, readRegistered, standingOf } from './pool-change';
import { BackupText, Registration, ToThePool } from './registration';
import { registrationsQuery } from './registrations-query';
import { whyNotRevoke } from './revocation';

const route = getRouteApi('/approvers');

export function ApproversScreen(): ReactNode {
  return (
    <Permitted action="upgrade.read" title="Approvers">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const query = useQuery(approversQuery);
  const mayReadChain = permitted(useSession(), 'audit.read') === 'all';
  return (
    <>
      <PageTitle>Approvers</PageTitle>
      <Loaded query={query} what="Reading the pool">
        {(pool) => (
          <Stack gap="lg">
            {pool.provisional !== null && (
              <Alert color="red" role="alert" title="This pool came by an emergency and is not ratified">
                <Text size="sm">
                  <UpgradeLink id={pool.provisional} /> put it into force. Until approvers ratify it, only
                  members of both pools decide.
                </Text>
              </Alert>
            )}
            <Part title="The pool in force">
              <Pool pool={pool} />
            </Part>
            <Part title="Changes that are being decided">
              <Pending pool={pool} />
            </Part>
            <Part title="Register a passkey">
              <Registration pool={pool} />
            </Part>
            {mayReadChain && (
              <Part title="Registered passkeys">
                <RegisteredPasskeys pool={pool} />
              </Part>
            )}
          </Stack>
        )}
      </Loaded>
    </>
  );
}

interface KeyRow {
  readonly member: PoolMember;
  readonly key: PoolMember['keys'][number];
  readonly isFirst: boolean;
  readonly isRevoked: boolean;
}

function Pool({ pool }: { pool: Approvers }): ReactNode {
  const session = useSession();
  const { mode } = useConnection();
  const navigate = useNavigate();
  const { revoke, of } = route.useSearch();
  const [says, setSays] = useState<string | null>(null);
  const { approvalTtlHours, proposalTtlHours, ratificationHours } = pool.policy;
  const rows = pool.approvers.flatMap((member) =>
    member.keys.map((key, at): KeyRow => ({
      member,
      key,
      isFirst: at === 0,
      isRevoked: member.revokedKeys.includes(key.keyId),
    })),
  );
  const show = (search: { revoke: string; of: string } | null) => {
    setSays(null);
    void navigate({ to: '/approvers', search: search ?? {}, replace: true });
  };
  const isKnown = rows.some(({ member, key }) => member.id === of && key.keyId === revoke);
  const isOf = (id: string) => whyNotRevoke(id, session, null) === null;
  const revokesAny = pool.approvers.some(({ id }) => isOf(id));
  return (
    <Stack>
      <Text>
        Version {pool.version}: <strong>{pool.threshold}</strong> of {pool.approvers.length} have to agree. An
        approval holds {hours(approvalTtlHours)}, a proposal {hours(proposalTtlHours)}, and an emergency has
        to be ratified within {hours(ratificationHours)}.
      </Text>
      <DataTable
        caption="Approvers and their keys"
        rows={rows}
        keyOf={({ member, key }) => `${member.id} ${key.keyId}`}
        columns={[
          {
            title: 'Approver',
            cell: ({ member, isFirst }) => (
              <>
                <Text inherit fw={isFirst ? 600 : 400} {...(!isFirst && { c: 'dimmed' })} className="breaks">
                  {visibleText(member.name)}
                  {member.id === session.approverId && ' (you)'}
                </Text>
                {isFirst && (
                  <Text size="xs" c="dimmed" className="breaks">
                    {visibleText(member.id)}
                    {member.contact !== null && `, ${visibleText(member.contact)}`}
                  </Text>
                )}
              </>
            ),
          },
          {
            title: 'Calls as',
            isExtra: true,
            cell: ({ member, isFirst }) =>
              isFirst && (
                <Text size="xs" className="breaks">
                  {member.principals.map(visibleText).join(', ')}
                </Text>
              ),
          },
          {
            title: 'Key',
            cell: ({ key, isRevoked }) => {
              const { kind, sha256 } = describeKey(key);
              return (
                <>
                  <Text inherit className="breaks" {...(isRevoked && { td: 'line-through' })}>
                    {visibleText(key.keyId)}
                  </Text>
                  <Text size="xs" c="dimmed">
                    {kind}
                    {isRevoked && ', revoked'}
                  </Text>
                  {sha256 !== null && <Digest value={sha256} what={`the digest of the key ${key.keyId}`} />}
                </>
              );
            },
          },
          ...(revokesAny
            ? [
                {
                  title: 'Revoke',
                  cell: ({ member, key, isRevoked }: KeyRow) => {
                    if (isRevoked) return <Text size="sm">Counts nowhere</Text>;
                    if (!isOf(member.id)) return null;
                    return (
                      <WhyButton
                        why={whyNotRevoke(member.id, session, mode)}
                        size="compact-sm"
                        variant="default"
                        aria-label={`Revoke ${key.keyId}`}
                        onClick={() => show({ revoke: key.keyId, of: member.id })}
                      >
                        Revoke
                      </WhyButton>
                    );
                  },
                },
              ]
            : []),
        ]}
      />
      <Text size="sm" c="dimmed">
        Only its owner, or a SuperAdmin, revokes a key.
      </Text>
      {says !== null && (
        <Alert color="teal" role="status" title="Recorded">
          <Text size="sm">{says}</Text>
        </Alert>
      )}
      {revoke !== undefined && of !== undefined && isKnown && (
        <Revoke
          key={`${of} ${revoke}`}
          approverId={of}
          keyId={revoke}
          why={whyNotRevoke(of, session, mode)}
          close={() => show(null)}
          done={(text) => {
            show(null);
            setSays(text);
          }}
        />
      )}
    </Stack>
  );
}

function hours(count: number): string {
  return count === 1 ? 'an hour' : count >= 48 && count % 24 === 0 ? `${count / 24} days` : `${count} hours`;
}

function Revoke({
  approverId,
  keyId,
  why,
  close,
  done,
}: {
  approverId: string;
  keyId: string;
  why: string | null;
  close: () => void;
  done: (says: string) => void;
}): ReactNode {
  const [draft, setDraft, forget] = useDraft(`revoke:${approverId}:${keyId}`, { reason: '' });
  const command = useCommand(
    async (body: { reason: string }, key: string) =>
      answered(
        api.POST('/kernel/approvers/{approverId}/keys/{keyId}/revoke', {
          params: { path: { approverId, keyId }, header: { 'Idempotency-Key': key } },
          body,
        }),
      ),
    {
      touches: [['upgrades']],
      done: ({ position }) => {
        forget();
        done(
          `The key ${visibleText(keyId)} of ${visibleText(approverId)} no longer counts anywhere${position === undefined ? '' : `, since ${position} of the chain`}.`,
        );
      },
    },
  );
  const missing = draft.reason.trim() === '' ? 'Give a reason first.' : null;
  return (
    <Stack gap="sm" maw={720} role="group" aria-label={`Revoke ${keyId}`}>
      <Text>
        The key <strong className="breaks">{visibleText(keyId)}</strong> of {visibleText(approverId)} never
        counts again, in any pool and for any upgrade, pending ones included. That cannot be taken back. It
        needs a sign-in of the last minutes.
      </Text>
      <Textarea
        label="Reason"
        description="It goes into the chain, for everyone to read."
        value={draft.reason}
        maxLength={4_000}
        autosize
        minRows={2}
        onChange={({ currentTarget: { value } }) => setDraft({ reason: value })}
      />
      {command.error !== null && <Failure error={command.error} />}
      <Group align="flex-start">
        <WhyButton
          why={why ?? missing}
          color="red"
          loading={command.isPending}
          onClick={() => command.mutate({ reason: draft.reason })}
        >
          Revoke it for ever
        </WhyButton>
        <Button variant="default" onClick={close}>
          Not now
        </Button>
      </Group>
    </Stack>
  );
}

function Pending({ pool: { pending } }: { pool: Approvers }): ReactNode {
  if (pending.length === 0)
    return <Empty title="None">A change of the pool is an upgrade of the type approver_pool.</Empty>;
  return (
    <Stack gap="xs" component="ul" m={0} p={0} className="plain-list">
      {pending.map(({ upgradeId, status, submittedAt, expiresAt, ratifyBy }) => (
        <li key={upgradeId}>
          <Group gap="sm">
            <UpgradeLink id={upgradeId} />
            <StatusBadge status={status} />
            <Text size="sm" c="dimmed">
              proposed <Time at={submittedAt} />, ends <Age at={ratifyBy ?? expiresAt} />
            </Text>
          </Group>
        </li>
      ))}
    </Stack>
  );
}

const STANDINGS = { 'in-pool': 'in the pool', revoked: 'revoked', 'not-voted': 'waits for the pool' };

/** What the chain has of registrations; the pool takes none of them by itself. */
function RegisteredPasskeys({ pool }: { pool: Approvers }): ReactNode {
  const query = useQuery(registrationsQuery);
  return (
    <Loaded query={query} what="Reading registrations">
      {({ events, nextCursor }) => {
        const rows = events.flatMap((event) => readRegistered(event) ?? []).reverse();
        if (rows.length === 0)
          return (
            <Empty title="None">No passkey was registered yet. The index is a moment behind the chain.</Empty>
          );
        return (
          <>
            <DataTable
              caption="Registered passkeys, newest first"
              rows={rows}
              keyOf={({ position }) => position}
              columns={[
                {
                  title: 'Passkey',
                  cell: (registered) => (
                    <>
                      <Text inherit fw={600} className="breaks">
                        {visibleText(registered.approverId)}
                      </Text>
                      <Text size="xs" c="dimmed" className="breaks">
                        {visibleText(registered.keyId)}
                      </Text>
                      <Digest value={registered.sha256} what={`the digest of ${registered.keyId}`} />
                    </>
                  ),
                },
                {
                  title: 'Registered',
                  isExtra: true,
                  cell: ({ registeredAt, eventId, position }) => (
                    <>
                      {registeredAt !== null && <Time at={registeredAt} />}
                      {eventId !== null && (
                        <Text size="xs">
                          <PageLink to="/audit/$id" params={{ id: eventId }}>
                            with its attestation at {position}
                          </PageLink>
                        </Text>
                      )}
                    </>
                  ),
                },
                {
                  title: 'Device',
                  isExtra: true,
                  cell: (registered) => <BackupText registered={registered} />,
                },
                {
                  title: 'Stands',
                  cell: (registered) => (
                    <Stack gap={4}>
                      <Text size="sm">{STANDINGS[standingOf(registered, pool)]}</Text>
                      <ToThePool registered={registered} pool={pool} />
                    </Stack>
                  ),
                },
              ]}
            />
            {nextCursor !== null && (
              <Text size="sm" mt="xs">
                There are more;{' '}
                <PageLink to="/audit" search={{ type: 'approver.credential_registered' }}>
                  the audit log has them all
                </PageLink>
                .
              </Text>
            )}
          </>
        );
      }}
    </Loaded>
  );
}
