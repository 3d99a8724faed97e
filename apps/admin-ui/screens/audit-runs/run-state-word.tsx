import { type ReactNode } from 'react';
import { StateWord } from '../../parts/state-word';
import { type AuditRun } from './audit-run-queries';
import { runState } from './run-state';

export function RunStateWord({ run }: { run: AuditRun }): ReactNode {
  const { word, colour } = runState(run);
  return <StateWord colour={colour}>{word}</StateWord>;
}
