import { Alert, Group, NativeSelect, SegmentedControl, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { APPROVAL_TYPE, type ApprovalAction, type JsonObject } from '#evidence';
import { answered, api } from '../../api/client';
import { useConnection } from '../../api/connection';
import { type Assertion, hasPasskeys, signWithPasskey } from '../../api/passkey';
import { type Upgrade } from '../../api/queries';
import { useCommand } from '../../api/use-command';
import { Digest } from '../../parts/digest';
import { JsonView, RawText } from '../../parts/json-view';
import { Failure, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { useDraft } from '../../session/draft';
import { useSession } from '../../session/session';
import { type CheckedRequest, checkedRequest } from './checked-request';
import { comparingLine, signingLine } from './cli-line';
import { approversQuery, type PoolMember } from './upgrade-queries';
import { whyNotSign } from './what-may-be-done';
import { decidingPool } from './who-signs';

const WORDS: Readonly<Record<ApprovalAction, { label: string; done: string }>> = {
  approve: { label: 'Approve', done: 'Your approval' },
  reject: { label: 'Reject', done: 'Your rejection' },
  ratify: { label: 'Ratify', done: 'Your ratification' },
};

/** The decision of an approver: what is signed is shown first, then signed with a passkey, or on the command line. */
export function Decide({ upgrade }: { upgrade: Upgrade }): ReactNode {
  const session = useSession();
  const { mode } = useConnection();
  const query = useQuery(approversQuery);
  const [says, setSays] = useState<string | null>(null);
  const why = whyNotSign(upgrade, session, mode);
  return (
    <Stack>
      {says !== null && (
        <Alert color="teal" role="status" title="Recorded">
          <Text size="sm">{says}</Text>
        </Alert>
      )}
      {why === null ? (
        <Loaded query={query} what="Reading your keys">
          {(pool) => {
            const me = decidingPool(upgrade.upgradeId, pool).find(({ id }) => id === session.approverId);
            if (me === undefined) return <Text>You are not in the pool that decides about this.</Text>;
            return <DecisionForm upgrade={upgrade} me={me} done={setSays} />;
          }}
        </Loaded>
      ) : (
        <WhyButton why={why} onClick={() => undefined}>
          Sign
        </WhyButton>
      )}
    </Stack>
  );
}

type Key = PoolMember['keys'][number];

function isPasskey(key: Key): boolean {
  return (key as { algorithm?: unknown }).algorithm === 'webauthn';
}

interface Draft {
  action: ApprovalAction | '';
  keyId: string;
  notes: string;
}

function DecisionForm({
  upgrade,
  me,
  done,
}: {
  upgrade: Upgrade;
  me: PoolMember;
  done: (says: string) => void;
}): ReactNode {
  const [draft, setDraft, forget] = useDraft<Draft>(`decide:${upgrade.upgradeId}`, {
    action: '',
    keyId: '',
    notes: '',
  });
  const { upgradeId } = upgrade;
  const actions: ApprovalAction[] =
    upgrade.status === 'emergency_applied' ? ['ratify', 'reject'] : ['approve', 'reject'];
  const keys = me.keys.filter(({ keyId }) => !me.revokedKeys.includes(keyId));
  // A passkey first: it is what can sign here.
  const key = keys.find(({ keyId }) => keyId === draft.keyId) ?? keys.find(isPasskey) ?? keys[0];
  const action = actions.find((one) => one === draft.action) ?? null;
  const notes = draft.notes.trim() === '' ? null : draft.notes;

  const prepare = useMutation({
    mutationFn: async (wanted: { action: ApprovalAction; keyId: string }) =>
      checkedRequest(
        await answered(
          api.GET('/kernel/upgrade/{id}/approval-request', {
            params: {
              path: { id: upgradeId },
              query: { approverId: me.id, ...wanted, ...(notes !== null && { notes }) },
            },
          }),
        ),
        { upgradeId, approverId: me.id, ...wanted, notes, manifest: upgrade.manifest as JsonObject },
      ),
  });
  const change = (part: Partial<Draft>) => {
    // What was shown is not what would be signed now.
    prepare.reset();
    setDraft({ ...draft, ...part });
  };
  const missing =
    action === null
      ? 'Choose first what you decide.'
      : key === undefined
        ? 'You have no key that counts.'
        : action === 'reject' && notes === null
          ? 'Say why you reject it.'
          : null;
  return (
    <Stack gap="md">
      <div>
        <Text size="sm" fw={500} mb={4} id="decision">
          Your decision
        </Text>
        <SegmentedControl
          aria-labelledby="decision"
          // Without a choice none is marked.
          value={action ?? ''}
          onChange={(value) => change({ action: value })}
          data={actions.map((one) => ({ value: one, label: WORDS[one].label }))}
        />
      </div>
      <Textarea
        label="Notes"
        description="Signed with the rest, and recorded for everyone to read."
        value={draft.notes}
        maxLength={4_000}
        autosize
        minRows={2}
        onChange={({ currentTarget: { value } }) => change({ notes: value })}
      />
      {keys.length > 1 && (
        <NativeSelect
          label="Your key"
          value={key?.keyId ?? ''}
          onChange={({ currentTarget: { value } }) => change({ keyId: value })}
          data={keys.map((one) => ({
            value: one.keyId,
            label: `${visibleText(one.keyId)} (${isPasskey(one) ? 'passkey' : 'key file or token'})`,
          }))}
        />
      )}
      <WhyButton
        why={missing}
        loading={prepare.isPending}
        onClick={() => {
          if (action !== null && key !== undefined) prepare.mutate({ action, keyId: key.keyId });
        }}
      >
        Show what I sign
      </WhyButton>
      {prepare.error !== null && <Failure error={prepare.error} />}
      {prepare.data !== undefined && key !== undefined && (
        <WhatIsSigned
          request={prepare.data}
          upgrade={upgrade}
          byPasskey={isPasskey(key)}
          again={() => prepare.reset()}
          done={(says) => {
            forget();
            done(says);
          }}
        />
      )}
    </Stack>
  );
}

/** Exactly what is signed, its digests made here, and how to sign it. */
function WhatIsSigned({
  request,
  upgrade,
  byPasskey,
  again,
  done,
}: {
  request: CheckedRequest;
  upgrade: Upgrade;
  byPasskey: boolean;
  again: () => void;
  done: (says: string) => void;
}): ReactNode {
  const { record, sha256, challenge, credentialRequest } = request;
  const { action, upgradeId } = record;
  const sign = useCommand(
    async (signature: Assertion, key: string) => {
      const { approverId, keyId, approvedAt, notes } = record;
      const sent = {
        params: { path: { id: upgradeId }, header: { 'Idempotency-Key': key } },
        body: { approverId, keyId, approvedAt, ...(notes !== null && { notes }), signature },
      };
      switch (action) {
        case 'approve':
          return answered(api.POST('/kernel/upgrade/{id}/approve', sent));
        case 'reject':
          return answered(api.POST('/kernel/upgrade/{id}/reject', sent));
        case 'ratify':
          return answered(api.POST('/kernel/upgrade/{id}/ratify', sent));
      }
    },
    {
      touches: [['upgrades']],
      done: ({ position, quorum }) => {
        const counted = `${quorum.approvers.length} of ${quorum.required}`;
        const stand =
          action === 'reject'
            ? `${quorum.rejection.approvers.length} reject it; ${quorum.rejection.required} have to, to end it.`
            : quorum.reached
              ? `The quorum is reached (${counted}).`
              : `${counted} have signed; ${quorum.missing} more ${quorum.missing === 1 ? 'is' : 'are'} needed.`;
        done(`${WORDS[action].done} is in the chain, at ${position}. ${stand}`);
      },
    },
  );
  const touch = useMutation({
    mutationFn: async () => {
      if (credentialRequest === null) throw new Error('This key signs on the command line.');
      // The challenge that was made here, not the one that came: what is shown is what is signed.
      return signWithPasskey({ ...credentialRequest, challenge });
    },
    onSuccess: (assertion) => sign.mutate(assertion),
  });
  const why = hasPasskeys()
    ? null
    : 'This browser uses no passkeys at this address: it has to be https, or localhost.';
  return (
    <Stack gap="sm" role="group" aria-label="What you sign">
      <Text fw={650}>
        You are about to {action} {visibleText(upgradeId)} of {visibleText(record.origin)}, as{' '}
        {visibleText(record.approverId)} with {visibleText(record.keyId)}.
      </Text>
      <dl className="facts">
        <dt>Manifest, SHA-256</dt>
        <dd>
          <Digest value={record.manifestSha256} what="the digest of the manifest" whole />
        </dd>
        <dt>Artifact, SHA-256</dt>
        <dd>
          {record.patchSha256 === null ? (
            'none'
          ) : (
            <Digest value={record.patchSha256} what="the digest of the artifact" whole />
          )}
        </dd>
        <dt>Record, SHA-256</dt>
        <dd>
          <Digest value={sha256} what="the digest of the record" whole />
        </dd>
        <dt>It counts until</dt>
        <dd>
          <Time at={record.expiresAt} />
        </dd>
      </dl>
      <Text size="sm">
        Both digests were made in this page from what it shows. A browser shows nothing of what a passkey
        signs, so compare them with a second device before you go on: it prints the same two digests, and
        signs nothing.
      </Text>
      <RawText text={comparingLine(record)} what="the command for the second device" />
      <details>
        <summary>The record that is signed</summary>
        <JsonView value={{ type: APPROVAL_TYPE, ...record }} what="Record" />
      </details>
      {byPasskey ? (
        <Group align="flex-start">
          <WhyButton why={why} loading={touch.isPending || sign.isPending} onClick={() => touch.mutate()}>
            {`${WORDS[action].label} with my passkey`}
          </WhyButton>
          <WhyButton why={null} variant="default" onClick={again}>
            Not now
          </WhyButton>
        </Group>
      ) : (
        <>
          <Text>This key is in a file or a token, and signs on the command line. From a key file:</Text>
          <RawText text={signingLine(record, 'file')} what="the command for a key file" />
          <Text>From a token:</Text>
          <RawText text={signingLine(record, 'token')} what="the command for a token" />
          <Text size="sm" c="dimmed">
            It shows the digest of the manifest, {upgrade.manifestSha256.slice(0, 8)}…, again, and asks before
            it signs. Where the kernel is not on this machine, name it with --url, and your certificate with
            --ca, --cert and --key.
          </Text>
        </>
      )}
      {touch.error !== null && (
        <Alert color="yellow" role="alert" title="Not signed">
          <Text size="sm">{touch.error.message}</Text>
        </Alert>
      )}
      {sign.error !== null && <Failure error={sign.error} />}
    </Stack>
  );
}
