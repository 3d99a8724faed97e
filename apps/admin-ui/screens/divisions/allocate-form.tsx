import '../operations/operations.css';
import { SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode } from 'react';
import { answered, api } from '../../api/client';
import { WhyButton } from '../../parts/why-button';
import { useDraft } from '../../session/draft';
import { useSession, whyNot } from '../../session/session';
import { Choices } from '../operations/choices';
import { CommandFailure, Recorded } from '../operations/command-state';
import { useCommand } from '../../api/use-command';
import { amountOf, amountText } from './amounts';

interface Typed {
  readonly what: 'grant' | 'release';
  readonly amount: string;
  readonly pool: string;
  readonly reason: string;
}

interface Allocate {
  divisionId: string;
  agentId?: string;
  delta: number;
  pool?: string;
  reason: string;
}

/** Grants part of a division's budget to an agent or to the division itself, or takes it back. */
export function AllocateForm({
  divisionId,
  agentId,
  pools,
}: {
  divisionId: string;
  agentId?: string;
  /** Pools that have a budget of their own; empty where one budget is for everything. */
  pools: readonly string[];
}): ReactNode {
  const session = useSession();
  const nothing: Typed = { what: 'grant', amount: '', pool: pools[0] ?? '', reason: '' };
  const [typed, setTyped] = useDraft<Typed>(`allocate:${divisionId}:${agentId ?? ''}`, nothing);
  const command = useCommand(
    (body: Allocate, key) =>
      answered(api.POST('/kernel/allocate', { params: { header: { 'Idempotency-Key': key } }, body })),
    {
      touches: [['divisions'], ['agents'], ['why']],
      done: () => setTyped(nothing),
    },
  );
  const may = whyNot(session, 'allocation.write');
  if (may !== null) return <Text c="dimmed">{may}</Text>;
  const amount = amountOf(typed.amount);
  const reason = typed.reason.trim();
  const pool = typed.pool.trim();
  const why =
    amount === null
      ? 'Give an amount above 0, with at most three decimal places.'
      : reason === ''
        ? 'Say why; it is recorded.'
        : null;
  const send = () => {
    if (amount === null || reason === '') return;
    command.mutate({
      divisionId,
      ...(agentId !== undefined && { agentId }),
      delta: typed.what === 'grant' ? amount : -amount,
      ...(pool !== '' && { pool }),
      reason,
    });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!command.isPending) send();
  };
  const holder = agentId ?? `${divisionId} itself`;
  return (
    <form onSubmit={submit} aria-label="Allocate">
      <Stack gap="sm">
        <Choices
          legend={`From the budget of ${divisionId}, to ${holder}`}
          value={typed.what}
          choose={(what) => setTyped({ ...typed, what })}
          choices={[
            { value: 'grant', label: 'Grant' },
            { value: 'release', label: 'Take back' },
          ]}
        />
        <SimpleGrid cols={{ base: 1, sm: 3 }}>
          <TextInput
            label="Amount"
            inputMode="decimal"
            placeholder="2.5"
            value={typed.amount}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, amount: value })}
            maxLength={20}
            autoComplete="off"
          />
          <TextInput
            label={
              pools.length > 0 ? `Pool (${pools.slice(0, 5).join(', ')})` : 'Pool (default unless given)'
            }
            value={typed.pool}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, pool: value })}
            maxLength={128}
            spellCheck={false}
            autoComplete="off"
          />
          <TextInput
            label="Why; goes into the chain"
            value={typed.reason}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, reason: value })}
            maxLength={1_000}
            autoComplete="off"
          />
        </SimpleGrid>
        <CommandFailure error={command.error} />
        {command.data !== undefined && (
          <Recorded
            title={`${amountText(Math.abs(command.data.allocation.delta))} ${command.data.allocation.status}`}
            position={command.data.position}
            auditId={command.data.audit_id}
          />
        )}
        <WhyButton why={why} loading={command.isPending} onClick={send}>
          {typed.what === 'grant' ? 'Grant' : 'Take back'}
        </WhyButton>
        {/* Enter sends the form, also with several fields. */}
        <button type="submit" hidden />
      </Stack>
    </form>
  );
}
