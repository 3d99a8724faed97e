import { Alert, Button, Group, NativeSelect, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { answered, api } from '../../api/client';
import { useConnection } from '../../api/connection';
import { type Upgrade } from '../../api/queries';
import { useCommand } from '../../api/use-command';
import { Failure } from '../../parts/states';
import { UpgradeLink } from '../../parts/upgrade-link';
import { WhyButton } from '../../parts/why-button';
import { useDraft } from '../../session/draft';
import { useSession } from '../../session/session';
import { type Verb, VERBS, whyNotDo } from './what-may-be-done';

interface Told {
  readonly says: ReactNode;
}

interface Form {
  readonly button: string;
  /** What it does and that it cannot be taken back. */
  readonly effect: string;
  readonly confirm: string;
  /** The text that goes into the chain. */
  readonly label: string | null;
  readonly isRequired: boolean;
}

const FORMS: Readonly<Record<Verb, Form>> = {
  apply: {
    button: 'Apply',
    effect: 'It takes effect, once. The quorum is counted again at that moment.',
    confirm: 'Apply it now',
    label: null,
    isRequired: false,
  },
  'emergency-apply': {
    button: 'Apply in an emergency',
    effect:
      'It takes effect at once, without its quorum. Everyone sees it as an emergency; it is rolled back, or has to be, when approvers do not ratify it in time. If you are an approver, you have no say in that.',
    confirm: 'Apply it without a quorum',
    label: 'Reason',
    isRequired: true,
  },
  withdraw: {
    button: 'Withdraw',
    effect: 'The proposal ends, with the signatures that it has.',
    confirm: 'Withdraw it',
    label: 'Reason',
    isRequired: true,
  },
  complete: {
    button: 'Report the outcome',
    effect: 'It goes into the chain how the deployment ended.',
    confirm: 'Report it',
    label: 'Detail',
    isRequired: false,
  },
  rollback: {
    button: 'Propose to undo it',
    effect: 'That is an upgrade itself, and needs its quorum. Nothing is undone before.',
    confirm: 'Propose the rollback',
    label: 'Rationale',
    isRequired: true,
  },
};

/** Everything that can be done with an upgrade besides signing; what cannot be done says why. */
export function Commands({ upgrade, open }: { upgrade: Upgrade; open: Verb | undefined }): ReactNode {
  const session = useSession();
  const { mode } = useConnection();
  const navigate = useNavigate();
  const [done, setDone] = useState<Told | null>(null);
  const { upgradeId } = upgrade;
  const show = (verb: Verb | undefined) => {
    setDone(null);
    void navigate({
      to: '/upgrades/$id',
      params: { id: upgradeId },
      search: verb === undefined ? {} : { do: verb },
      replace: true,
    });
  };
  return (
    <Stack>
      <Group align="flex-start" gap="md">
        {VERBS.map((verb) => (
          <div key={verb} className="command">
            <WhyButton
              why={whyNotDo(verb, upgrade, session, mode)}
              onClick={() => show(open === verb ? undefined : verb)}
              variant={verb === 'apply' ? 'filled' : 'default'}
              {...(verb === open && { 'aria-expanded': true })}
            >
              {FORMS[verb].button}
            </WhyButton>
          </div>
        ))}
      </Group>
      {done !== null && (
        <Alert color="teal" role="status" title="Recorded">
          <Text size="sm" className="breaks">
            {done.says}
          </Text>
        </Alert>
      )}
      {open !== undefined && (
        <CommandForm
          key={open}
          upgrade={upgrade}
          verb={open}
          why={whyNotDo(open, upgrade, session, mode)}
          close={() => show(undefined)}
          done={(says) => {
            show(undefined);
            setDone({ says });
          }}
        />
      )}
    </Stack>
  );
}

interface Draft {
  text: string;
  outcome: 'completed' | 'failed';
  newId: string;
}

function CommandForm({
  upgrade: { upgradeId },
  verb,
  why,
  close,
  done,
}: {
  upgrade: Upgrade;
  verb: Verb;
  why: string | null;
  close: () => void;
  done: (says: ReactNode) => void;
}): ReactNode {
  const { effect, confirm, label, isRequired } = FORMS[verb];
  const [draft, setDraft, forget] = useDraft<Draft>(`upgrade:${upgradeId}:${verb}`, {
    text: '',
    outcome: 'completed',
    newId: '',
  });
  const command = useCommand((body: Draft, key: string) => send(verb, upgradeId, body, key), {
    touches: [['upgrades']],
    done: (result) => {
      forget();
      done(result);
    },
  });
  const missing =
    isRequired && draft.text.trim() === '' ? `Give a ${(label ?? '').toLowerCase()} first.` : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (why === null && missing === null && !command.isPending) command.mutate(draft);
  };
  return (
    <form onSubmit={submit} aria-label={FORMS[verb].button}>
      <Stack gap="sm" maw={720}>
        <Text>{effect}</Text>
        {verb === 'complete' && (
          <NativeSelect
            label="Outcome"
            value={draft.outcome}
            data={['completed', 'failed']}
            onChange={({ currentTarget: { value } }) =>
              setDraft({ ...draft, outcome: value === 'failed' ? 'failed' : 'completed' })
            }
          />
        )}
        {verb === 'rollback' && (
          <TextInput
            label="Id of the new upgrade"
            placeholder={`${upgradeId}.rollback`}
            value={draft.newId}
            maxLength={128}
            spellCheck={false}
            autoComplete="off"
            onChange={({ currentTarget: { value } }) => setDraft({ ...draft, newId: value })}
          />
        )}
        {label !== null && (
          <Textarea
            label={label}
            description="It goes into the chain, for everyone to read."
            value={draft.text}
            maxLength={4_000}
            autosize
            minRows={2}
            onChange={({ currentTarget: { value } }) => setDraft({ ...draft, text: value })}
          />
        )}
        {command.error !== null && <Failure error={command.error} />}
        <Group align="flex-start">
          <WhyButton
            why={why ?? missing}
            onClick={() => command.mutate(draft)}
            loading={command.isPending}
            {...(verb === 'emergency-apply' && { color: 'red' })}
          >
            {confirm}
          </WhyButton>
          <Button variant="default" onClick={close}>
            Not now
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Sends a command. @returns what it came to, when the chain has it */
async function send(
  verb: Verb,
  id: string,
  { text, outcome, newId }: Draft,
  key: string,
): Promise<ReactNode> {
  const params = { path: { id }, header: { 'Idempotency-Key': key } };
  switch (verb) {
    case 'apply': {
      const { quorum, position } = await answered(
        api.POST('/kernel/upgrade/{id}/apply', { params, body: {} }),
      );
      return `It was applied with ${quorum.approvers.length} of ${quorum.required} approvals${at(position)}.`;
    }
    case 'emergency-apply': {
      const { upgrade, position } = await answered(
        api.POST('/kernel/upgrade/{id}/emergency-apply', { params, body: { reason: text } }),
      );
      return `It is in force without its quorum${at(position)}. Approvers have to ratify it by ${upgrade.ratifyBy ?? 'the end of the window'}.`;
    }
    case 'withdraw': {
      const { position } = await answered(
        api.POST('/kernel/upgrade/{id}/withdraw', { params, body: { reason: text } }),
      );
      return `It is withdrawn${at(position)}.`;
    }
    case 'complete': {
      const { position } = await answered(
        api.POST('/kernel/upgrade/{id}/complete', {
          params,
          body: { outcome, ...(text.trim() !== '' && { detail: text }) },
        }),
      );
      return `It is reported as ${outcome}${at(position)}.`;
    }
    case 'rollback': {
      const { upgrade, position } = await answered(
        api.POST('/kernel/upgrade/{id}/rollback', {
          params,
          body: { rationale: text, ...(newId.trim() !== '' && { upgradeId: newId.trim() }) },
        }),
      );
      return (
        <>
          The rollback <UpgradeLink id={upgrade.upgradeId} /> is proposed{at(position)}.
        </>
      );
    }
  }
}

function at(position: string | undefined): string {
  return position === undefined ? '' : `, at ${position} of the chain`;
}
