import { Group, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { type ReactNode } from 'react';
import { answered, api } from '../../api/client';
import { WhyButton } from '../../parts/why-button';
import { useDraft } from '../../session/draft';
import { useSession, whyNot } from '../../session/session';
import { CommandFailure, Recorded } from '../operations/command-state';
import { useCommand } from '../../api/use-command';
import { type KeyPurpose, PURPOSES } from './key-facts';

interface Typed {
  readonly purpose: KeyPurpose;
  readonly kid: string;
}

/** Has the signing backend make a key: it signs nothing until a rotation registers it. */
export function MakeKey({ purpose }: { purpose?: KeyPurpose }): ReactNode {
  const session = useSession();
  const [typed, setTyped, forget] = useDraft<Typed>(`make-key:${purpose ?? ''}`, {
    purpose: purpose ?? 'audit',
    kid: '',
  });
  const command = useCommand(
    ({ purpose: asked, kid }: Typed, key) =>
      answered(
        api.POST('/kernel/keys/candidates', {
          params: { header: { 'Idempotency-Key': key } },
          body: { purpose: asked, ...(kid.trim() !== '' && { kid: kid.trim() }) },
        }),
      ),
    { touches: [['keys']], done: () => forget() },
  );
  const why = whyNot(session, 'keys.manage');
  return (
    <Stack gap="sm" component="section" aria-label="Make a key">
      <Group align="flex-end" gap="sm">
        {purpose === undefined && (
          <NativeSelect
            label="A new key for"
            data={[...PURPOSES]}
            value={typed.purpose}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, purpose: value as KeyPurpose })}
            disabled={why !== null}
          />
        )}
        <TextInput
          label={`${purpose === undefined ? 'Its name' : `Name of a new ${purpose} key`} (the next of the series unless given)`}
          placeholder={`kernel-${typed.purpose}-ed25519-v3`}
          value={typed.kid}
          onChange={({ currentTarget: { value } }) => setTyped({ ...typed, kid: value })}
          maxLength={255}
          spellCheck={false}
          autoComplete="off"
          disabled={why !== null}
        />
        <WhyButton
          why={why}
          variant="default"
          loading={command.isPending}
          onClick={() => command.mutate(typed)}
        >
          Make a key
        </WhyButton>
      </Group>
      <CommandFailure error={command.error} />
      {command.data !== undefined && (
        <Recorded
          title={`The signing backend holds ${command.data.signer_kid}`}
          position={command.data.position}
          auditId={command.data.auditId}
        >
          It is for {command.data.purposes.join(' and ')}, and signs nothing until a rotation registers it.
        </Recorded>
      )}
      <Text size="xs" c="dimmed">
        Where an operator makes the keys, the kernel&rsquo;s answer says how.
      </Text>
    </Stack>
  );
}
