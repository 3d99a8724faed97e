import { type AuditRun } from './audit-run-queries';

/** What somebody has to know of the newest audits. */
export interface LastAudit {
  /** The latest one whose seal counts; null: none of these. */
  readonly proven: AuditRun | null;
  /** The one that was recorded last, where that is another one. */
  readonly newer: AuditRun | null;
  /** Sentences: what is not as it should be. */
  readonly warnings: readonly string[];
}

/** The auditor runs once a day; it is late when a second day has passed without it. */
const LATE_MS = 2 * 24 * 60 * 60 * 1_000;

/** @param runs the newest, as they were recorded; whatever no seal proves can be anyone's */
export function lastAudit(runs: readonly AuditRun[], now: number): LastAudit {
  // By the time in the seal: an old one that was put in again is no newer for that.
  const proven = runs
    .filter(({ verdict }) => verdict !== null)
    .reduce<AuditRun | null>(
      (latest, run) => (latest === null || run.startedAt > latest.startedAt ? run : latest),
      null,
    );
  const newest = runs[0] ?? null;
  const newer = newest === proven ? null : newest;
  return { proven, newer, warnings: [...warningsOf(runs, proven, now)] };
}

function* warningsOf(runs: readonly AuditRun[], proven: AuditRun | null, now: number): Generator<string> {
  const [newest] = runs;
  if (newest === undefined) {
    yield 'No audit has been recorded. The auditor runs once a day where it is installed; ./kernel audit run runs one at once.';
    return;
  }
  if (proven === null) {
    yield runs.length === 1
      ? 'The one audit that was recorded has no seal that counts.'
      : `None of the newest ${runs.length} audits has a seal that counts.`;
  } else if (now - Date.parse(proven.startedAt) > LATE_MS) {
    yield 'The last audit with a seal is more than two days old. The auditor runs once a day: it is away, or cannot do its work.';
  }
  const forged = runs.filter(({ seal }) => seal === 'invalid').length;
  if (forged > 0) {
    yield `${forged === 1 ? 'A row' : `${forged} rows`} among the newest ${runs.length} ${forged === 1 ? 'was' : 'were'} not written by the auditor: somebody has a password of the database (runbooks/integrity-alarm.md).`;
  }
  if (newest === proven || newest.seal === 'invalid') return;
  if (newest.outcome === 'failed') yield 'The newest audit could not be carried out.';
  else if (newest.outcome === 'refused')
    yield 'The newest audit was not carried out: the event store was being restored.';
  else if (newest.seal === 'none') yield 'The newest audit has no seal: nothing proves what it says.';
}
