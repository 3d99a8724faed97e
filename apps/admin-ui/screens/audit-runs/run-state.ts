import { type AuditRun } from './audit-run-queries';

type Facts = Pick<AuditRun, 'verdict' | 'outcome' | 'seal'>;

/** What an audit came to, in a word or two: nothing is called clean but what a valid seal says. */
export function runState({ verdict, outcome, seal }: Facts): { word: string; colour: string } {
  if (seal === 'invalid') return { word: 'not genuine', colour: 'red' };
  if (verdict === 'clean') return { word: 'clean', colour: 'teal' };
  if (verdict === 'findings') return { word: 'findings', colour: 'red' };
  if (outcome === 'failed') return { word: 'failed', colour: 'orange' };
  if (outcome === 'refused') return { word: 'not carried out', colour: 'orange' };
  if (outcome === 'findings')
    return { word: seal === 'key_ended' ? 'findings, old key' : 'unsealed findings', colour: 'red' };
  return { word: seal === 'key_ended' ? 'key has ended' : 'not sealed', colour: 'orange' };
}

/** A count in a row; null where somebody else wrote it, as where there is none. */
export function countIn({ seal }: Pick<AuditRun, 'seal'>, count: number | null): number | null {
  return seal === 'invalid' ? null : count;
}
