import { Alert, Group, Stack, Text, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { type JsonObject } from '#evidence';
import { answered, api } from '../../api/client';
import { useConnection } from '../../api/connection';
import { CeremonyEnded, hasPasskeys, makePasskey, type Made } from '../../api/passkey';
import { useCommand } from '../../api/use-command';
import { Digest } from '../../parts/digest';
import { JsonView } from '../../parts/json-view';
import { Failure } from '../../parts/states';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { putDraft, useDraft } from '../../session/draft';
import { useSession, whyNot } from '../../session/session';
import { type Approvers } from '../upgrades/upgrade-queries';
import { proposalFor, type Registered, standingOf } from './pool-change';
import { whyNotRegister } from './revocation';

interface Draft {
  approverId: string;
  keyId: string;
  /** What the chain has of the last one; kept until it is in the pool, since it is shown to its owner alone. */
  registered: Registered | null;
}

/** Registers a passkey for oneself, or by a SuperAdmin for somebody who is to become an approver. */
export function Registration({ pool }: { pool: Approvers }): ReactNode {
  const session = useSession();
  const { mode } = useConnection();
  const [draft, setDraft, forget] = useDraft<Draft>('register-passkey', {
    approverId: session.approverId ?? '',
    keyId: '',
    registered: null,
  });
  const approverId = session.roles.includes('SuperAdmin')
    ? draft.approverId.trim()
    : (session.approverId ?? '');
  const register = useCommand(
    async ({ made, keyId }: { made: Made; keyId: string }, key: string) => {
      const answer = await answered(
        api.POST('/kernel/approvers/{approverId}/webauthn/credential', {
          params: { path: { approverId }, header: { 'Idempotency-Key': key } },
          body: { response: made.response, ...(keyId !== '' && { keyId }) },
        }),
      );
      return { answer, made };
    },
    {
      touches: [['upgrades']],
      done: ({ answer, made }) => {
        const { keyId } = answer.key as { keyId?: unknown };
        setDraft({
          ...draft,
          keyId: '',
          registered: {
            approverId: answer.approverId,
            key: answer.key as JsonObject,
            keyId: typeof keyId === 'string' ? keyId : '',
            sha256: answer.sha256,
            position: answer.position,
            backupEligible: made.flags.backupEligible,
            backedUp: made.flags.backedUp,
            registeredAt: null,
            eventId: null,
          },
        });
      },
    },
  );
  const make = useMutation({
    mutationFn: async () => {
      const { options } = await answered(
        api.POST('/kernel/approvers/{approverId}/webauthn/challenge', {
          params: { path: { approverId }, header: { 'Idempotency-Key': crypto.randomUUID() } },
          body: {},
        }),
      );
      return makePasskey(options);
    },
    onSuccess: (made) => register.mutate({ made, keyId: draft.keyId.trim() }),
  });
  const why =
    whyNotRegister(approverId, session, mode) ??
    (hasPasskeys()
      ? null
      : 'This browser makes no passkeys at this address: it has to be https, or localhost.');
  const { registered } = draft;
  return (
    <Stack>
      <Text size="sm">
        A passkey is made by your device, which verifies you each time by a PIN, a finger or a face. Have two,
        on two devices: when one is lost, you revoke it here and go on with the other.
      </Text>
      {pool.syncedPasskeys === 'refuse' && (
        <Alert color="yellow" role="note" title="Synced passkeys are refused here">
          <Text size="sm">
            This kernel takes a passkey only if it stays in one device. Use a security key, or a device that
            keeps its passkeys to itself. One that a provider copies to your other devices (a password
            manager, a phone&rsquo;s account) is refused, here and when you sign.
          </Text>
        </Alert>
      )}
      {session.roles.includes('SuperAdmin') && (
        <TextInput
          label="For"
          description="The id of an approver, or of somebody who is to become one. They have to be here to touch the device."
          value={draft.approverId}
          maxLength={128}
          spellCheck={false}
          autoComplete="off"
          maw={480}
          onChange={({ currentTarget: { value } }) => setDraft({ ...draft, approverId: value })}
        />
      )}
      <TextInput
        label="Name of the key"
        description="Optional; for those who read the pool."
        placeholder={approverId === '' ? 'ada-yubikey' : `${approverId}-phone`}
        value={draft.keyId}
        maxLength={128}
        spellCheck={false}
        autoComplete="off"
        maw={480}
        onChange={({ currentTarget: { value } }) => setDraft({ ...draft, keyId: value })}
      />
      <Group align="flex-start">
        <WhyButton why={why} loading={make.isPending || register.isPending} onClick={() => make.mutate()}>
          Register a passkey
        </WhyButton>
      </Group>
      {make.error !== null &&
        (make.error instanceof CeremonyEnded ? (
          <Alert color="yellow" role="alert" title="Not registered">
            <Text size="sm">{make.error.message}</Text>
          </Alert>
        ) : (
          <Failure error={make.error} />
        ))}
      {register.error !== null && <Failure error={register.error} />}
      {registered !== null && (
        <Alert
          color="teal"
          role="status"
          title={`Registered for ${visibleText(registered.approverId)}, at ${registered.position} of the chain`}
          withCloseButton
          closeButtonLabel="Forget it here"
          onClose={forgetThen(forget, () => setDraft({ ...draft, registered: null }))}
        >
          <Stack gap="sm">
            <Text size="sm">
              {standingOf(registered, pool) === 'in-pool'
                ? 'It is in the pool in force: it counts.'
                : 'It counts nowhere yet. The pool has to take it, by an upgrade that approvers agree to. They compare this digest with what is on your screen:'}
            </Text>
            <Digest value={registered.sha256} what="the digest of the public key" whole />
            <BackupText registered={registered} />
            <ToThePool registered={registered} pool={pool} />
            <details>
              <summary>The key, as a pool holds it</summary>
              <JsonView value={registered.key} what="Key" />
            </details>
          </Stack>
        </Alert>
      )}
    </Stack>
  );
}

function forgetThen(forget: () => void, then: () => void): () => void {
  return () => {
    then();
    forget();
  };
}

/** What BE and BS say, in words. */
export function BackupText({ registered }: { registered: Registered }): ReactNode {
  const { backupEligible, backedUp } = registered;
  if (backupEligible === null) return <Text size="sm">Whether it is synced is not known.</Text>;
  return (
    <Text size="sm">
      {backupEligible
        ? `It may be copied to other devices of its owner by their provider (BE), and ${backedUp === true ? 'is copied (BS)' : 'is not copied yet'}.`
        : 'It stays in one device (no BE, no BS).'}
    </Text>
  );
}

/** Leads to the form of the proposal, filled in; others are told whom to ask. */
export function ToThePool({ registered, pool }: { registered: Registered; pool: Approvers }): ReactNode {
  const session = useSession();
  const navigate = useNavigate();
  if (standingOf(registered, pool) !== 'not-voted') return null;
  const why = whyNot(session, 'upgrade.propose');
  return (
    <WhyButton
      why={
        why === null
          ? null
          : `${why} Ask an operator: they find it on this page, under the passkeys that wait for the pool.`
      }
      variant="default"
      onClick={() => {
        putDraft(session.principal, 'propose', proposalFor(registered, pool));
        void navigate({ to: '/propose' });
      }}
    >
      Propose to put it into the pool
    </WhyButton>
  );
}
