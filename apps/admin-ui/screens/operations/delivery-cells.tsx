import { Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { StateWord } from '../../parts/state-word';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';

const COLOURS = { pending: 'gray', delivered: 'teal', dead: 'red' };

/** How far a delivery is, and what the receiver last said. */
export function DeliveryState({
  state,
  attempts,
  dueAt,
  settledAt,
  lastStatus,
  lastError,
}: {
  state: keyof typeof COLOURS;
  attempts: number;
  dueAt: string | null;
  settledAt: string | null;
  lastStatus: number | null;
  lastError: string | null;
}): ReactNode {
  return (
    <>
      <StateWord colour={COLOURS[state]}>{state === 'dead' ? 'given up' : state}</StateWord>
      <Text size="xs" c="dimmed">
        {attempts === 1 ? '1 attempt' : `${attempts} attempts`}
        {state === 'pending' && dueAt !== null && (
          <>
            , next <Age at={dueAt} />
          </>
        )}
        {settledAt !== null && (
          <>
            , <Time at={settledAt} />
          </>
        )}
      </Text>
      {(lastStatus !== null || lastError !== null) && (
        <Text size="xs" className="breaks">
          {lastStatus !== null && `HTTP ${lastStatus}`}
          {lastStatus !== null && lastError !== null && ': '}
          {lastError !== null && visibleText(lastError)}
        </Text>
      )}
    </>
  );
}
