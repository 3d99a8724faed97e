import { Alert, Anchor, Group, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';
import { Age, useNow } from '../../parts/times';
import { WhyButton } from '../../parts/why-button';
import { signInAddress, useSession } from '../../session/session';
import { CommandFailure } from './command-state';
import { isFresh } from './freshness';

/** What a step does, one sentence each. */
export function Effects({ of: effects }: { of: readonly string[] }): ReactNode {
  return (
    <ul className="effects">
      {effects.map((effect) => (
        <li key={effect} className="breaks">
          {effect}
        </li>
      ))}
    </ul>
  );
}

/**
 * The last step of something dangerous: what would happen, the words that say so to be typed, and the button. The kernel
 * has the last word about all of it.
 */
export function Confirmation({
  effects,
  words,
  label,
  why = null,
  fresh = false,
  pending,
  error,
  run,
}: {
  effects: readonly string[];
  /** What has to be typed; it names what is done to what. */
  words: string;
  label: string;
  /** Why it cannot be done now; null: it can. */
  why?: string | null;
  /** Whether the kernel wants a sign-in of the last minutes. */
  fresh?: boolean;
  pending: boolean;
  error: Error | null;
  run: () => void;
}): ReactNode {
  const [typed, setTyped] = useState('');
  const isTyped = typed.trim() === words;
  const off = why ?? (isTyped ? null : `Type the words above the button first: ${words}`);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (off === null && !pending) run();
  };
  return (
    <form onSubmit={submit} aria-label={label}>
      <Stack gap="sm">
        <Alert color="orange" title="What would happen" role="note">
          <Effects of={effects} />
        </Alert>
        {fresh && <FreshNote />}
        <TextInput
          label={
            <>
              To confirm, type <span className="mono breaks">{words}</span>
            </>
          }
          value={typed}
          onChange={({ currentTarget: { value } }) => setTyped(value)}
          autoComplete="off"
          spellCheck={false}
          maxLength={400}
        />
        <CommandFailure error={error} />
        <Group>
          <WhyButton why={off} color="red" loading={pending} onClick={run}>
            {label}
          </WhyButton>
        </Group>
      </Stack>
    </form>
  );
}

/** Says that a sign-in of the last minutes is needed, before the kernel has to refuse. */
function FreshNote(): ReactNode {
  const { authenticatedAt } = useSession();
  const now = useNow();
  if (isFresh(authenticatedAt, now)) return null;
  return (
    <Text size="sm">
      This needs a sign-in of the last five minutes; yours is from{' '}
      {authenticatedAt === null ? 'a time that is not known' : <Age at={authenticatedAt} />}.{' '}
      <Anchor href={signInAddress({ fresh: true })} underline="always" inherit>
        Sign in again
      </Anchor>{' '}
      and come back to this page; what you have typed is kept, the words of the confirmation are not.
    </Text>
  );
}
