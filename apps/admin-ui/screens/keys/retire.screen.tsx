import { Stack, Textarea } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { answered, api } from '../../api/client';
import { PageLink } from '../../parts/page-link';
import { visibleText } from '../../parts/visible-text';
import { useDraft } from '../../session/draft';
import { useSession, whyNot } from '../../session/session';
import { Recorded } from '../operations/command-state';
import { Confirmation } from '../operations/confirmation';
import { useCommand } from '../../api/use-command';
import { retirementEffects } from './effects';
import { type RegisteredKey } from './key-facts';
import { OneKey } from './one-key';
import { whyNotRetire } from './why-not-key';

const route = getRouteApi('/keys/$kid/retire');

export function RetireScreen(): ReactNode {
  const { kid } = route.useParams();
  return (
    <OneKey kid={kid} title={`Retire ${visibleText(kid)}`}>
      {(key, { signers }) => <Retirement keyOf={key} signers={signers} />}
    </OneKey>
  );
}

function Retirement({
  keyOf: key,
  signers,
}: {
  keyOf: RegisteredKey;
  signers: readonly RegisteredKey[];
}): ReactNode {
  const { signer_kid: kid } = key;
  const session = useSession();
  const [typed, setTyped, forget] = useDraft(`retire:${kid}`, { reason: 'rotated' });
  const command = useCommand(
    (body: { reason: string }, attempt) =>
      answered(
        api.POST('/kernel/keys/{kid}/retire', {
          params: { path: { kid }, header: { 'Idempotency-Key': attempt } },
          body,
        }),
      ),
    { touches: [['keys'], ['status']], done: () => forget() },
  );
  if (command.data !== undefined) {
    return (
      <Recorded title={`${kid} is retired`} position={command.data.position}>
        Hand out the new signers.json (<PageLink to="/keys">Keys</PageLink>).
      </Recorded>
    );
  }
  const reason = typed.reason.trim();
  return (
    <Stack gap="md">
      <Textarea
        label="Why; goes into the chain"
        value={typed.reason}
        onChange={({ currentTarget: { value } }) => setTyped({ reason: value })}
        maxLength={1_000}
        autosize={false}
        rows={2}
      />
      <Confirmation
        effects={retirementEffects(kid)}
        words={`retire ${kid}`}
        label="Retire the key"
        fresh
        why={
          whyNot(session, 'keys.manage') ??
          whyNotRetire(key, signers) ??
          (reason === '' ? 'Say why; it is recorded.' : null)
        }
        pending={command.isPending}
        error={command.error}
        run={() => command.mutate({ reason })}
      />
    </Stack>
  );
}
