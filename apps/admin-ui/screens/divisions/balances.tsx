import '../operations/operations.css';
import { Group, Stack, Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { visibleText } from '../../parts/visible-text';
import { amountText, balanceText, shareOf } from './amounts';
import { type Balance } from './division-queries';

/** A budget and what is allocated of it: a bar, and the same in words. */
export function BalanceBar({ balance }: { balance: Balance }): ReactNode {
  const name = balance.pool === null ? 'Budget' : visibleText(balance.pool);
  const share = shareOf(balance);
  const said = balanceText(balance);
  return (
    <Stack gap={2}>
      <Group justify="space-between" gap="sm">
        <Text size="sm" fw={600} className="breaks">
          {name}
        </Text>
        <Text size="sm" className="numbers">
          {said}
        </Text>
      </Group>
      <div
        className="bar"
        role="meter"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={balance.budget}
        aria-valuenow={Math.min(balance.allocated, balance.budget)}
        aria-valuetext={said}
      >
        <div style={{ width: `${share}%` }} />
      </div>
    </Stack>
  );
}

export function BalanceBars({ balances }: { balances: readonly Balance[] }): ReactNode {
  if (balances.length === 0) return <Text c="dimmed">It has no budget: nothing can be allocated.</Text>;
  return (
    <Stack gap="sm">
      {balances.map((balance) => (
        <BalanceBar key={balance.pool ?? ''} balance={balance} />
      ))}
    </Stack>
  );
}

/** The same in little room, for lists. */
export function BalanceLine({ balances }: { balances: readonly Balance[] }): ReactNode {
  if (balances.length === 0) return 'no budget';
  const [first, ...more] = balances;
  if (first === undefined) return null;
  return (
    <Stack gap={2} miw={140}>
      <Text size="xs" className="numbers">
        {first.pool !== null && `${visibleText(first.pool)}: `}
        {amountText(first.allocated)} of {amountText(first.budget)}
        {more.length > 0 && `, and ${more.length} more ${more.length === 1 ? 'pool' : 'pools'}`}
      </Text>
      <div
        className="bar"
        role="meter"
        aria-label={first.pool === null ? 'Budget' : visibleText(first.pool)}
        aria-valuemin={0}
        aria-valuemax={first.budget}
        aria-valuenow={Math.min(first.allocated, first.budget)}
        aria-valuetext={balanceText(first)}
      >
        <div style={{ width: `${shareOf(first)}%` }} />
      </div>
    </Stack>
  );
}
