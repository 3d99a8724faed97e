import { type Facts, type Looked, PARTS } from '../facts';
import { type Finding } from '../finding';
import { reasonOf } from '../gather/bounded';
import { type Check } from './check';
import { FILE_CHECKS } from './files';
import { KERNEL_CHECKS } from './kernel';
import { PIPELINE_CHECKS } from './pipeline';
import { PROCESS_CHECKS } from './processes';
import { STORE_CHECKS } from './stores';

export const ALL_CHECKS: readonly Check[] = [
  ...PROCESS_CHECKS,
  ...STORE_CHECKS,
  ...PIPELINE_CHECKS,
  ...KERNEL_CHECKS,
  ...FILE_CHECKS,
];

/** Parts whose failure a check judges itself. */
const JUDGED: readonly string[] = ['database', 'schema', 'archive', 'openBao', 'signers'];

/** Runs every check. One that fails is a finding, and the others go on. */
export function findingsOf(facts: Facts, checks: readonly Check[] = ALL_CHECKS): Finding[] {
  const findings: Finding[] = [];
  for (const part of PARTS) {
    const looked: Looked<unknown> = facts[part];
    if (looked.kind !== 'failed' || JUDGED.includes(part)) continue;
    findings.push(unseen(part, looked.why));
  }
  for (const check of checks) {
    try {
      findings.push(...check.look(facts));
    } catch (error) {
      findings.push(unseen(check.name, reasonOf(error)));
    }
  }
  return findings;
}

function unseen(where: string, why: string): Finding {
  return {
    code: 'could_not_be_looked_at',
    severity: 'unknown',
    what: `This could not be looked at: ${why}`,
    where,
    action: 'Look at it by hand, or correct what the sentence says and run ./kernel doctor again.',
    effectOf: ['disk'],
  };
}

/** What was not looked at because nobody said where it is, or because there is none: it is not called fine. */
export function notLookedAt(facts: Facts): { part: string; why: string }[] {
  const parts: { part: string; why: string }[] = PARTS.flatMap((part) => {
    const looked: Looked<unknown> = facts[part];
    return looked.kind === 'not asked' ? [{ part, why: looked.why }] : [];
  });
  const backups =
    facts.endpoints.kind === 'seen' &&
    facts.endpoints.value.some(
      ({ metrics }) => metrics?.has('kernel_backup_last_base_timestamp_seconds') === true,
    );
  if (!backups) parts.push({ part: 'backups', why: 'no backups are configured' });
  if (facts.schema.kind === 'seen' && facts.schema.value.problems === undefined) {
    parts.push({
      part: 'rights',
      why: 'only the owner of the schema can tell: set DATABASE_OWNER_URL and KERNEL_ORIGIN',
    });
  }
  return parts;
}
