import {
  type LogPolicy,
  printable,
  type TrustRoot,
  type UpgradeEvidenceVerdict,
  verifyUpgradeEvidence,
} from '#evidence';
import { type Judged } from './single-verdict';

/** The verdict on the evidence of one upgrade. */
export function judgeUpgrade(
  file: Uint8Array,
  trust: TrustRoot,
  options: { withoutProofs: boolean; policy: LogPolicy | null },
): Judged {
  const verdict = verifyUpgradeEvidence(file, trust, options);
  const verified = verdict.faults.length === 0;
  return {
    verified,
    lines: (verified ? verdictLines(verdict) : verdict.faults).map(printable),
    json: { verified, anchored: verdict.log !== null, ...verdict },
  };
}

function verdictLines(verdict: UpgradeEvidenceVerdict): string[] {
  const { upgradeId, events, log, notChecked } = verdict;
  const last = events.at(-1);
  const cosigners = log?.cosigned.map(({ name }) => name) ?? [];
  return [
    ...notChecked.map((what) => `not checked: ${what}`),
    `Upgrade ${upgradeId} verified${log === null ? ', not anchored' : ''}: ${outcomeOf(verdict)}.`,
    ...(log === null
      ? []
      : [
          `All its events are in the log ${log.name} at size ${log.size}, root ${log.root}, signed by ${log.signedBy}${
            cosigners.length === 0 ? '' : `, cosigned by ${cosigners.join(', ')}`
          }.`,
        ]),
    ...(verdict.authorized ? ['A manifest key of the kernel has authorised its deployment.'] : []),
    `Last event ${last?.shard}:${last?.seq}:${last?.hash}, a head to expect of the chain (--expect-head); what came later is not in the file.`,
  ];
}

/** The status, and who is shown to have decided it. What nobody signed but the kernel is called its record. */
function outcomeOf({ status, emergency, approvers, required }: UpgradeEvidenceVerdict): string {
  const people = approvers.join(', ');
  const decided = required === null ? 'not decided' : `${approvers.length} of ${required}: ${people}`;
  const ratified = `ratified (${decided}) after an emergency application`;
  const agreed = required === null ? 'emergency applied, unratified' : ratified;
  const applied = emergency ? agreed : `applied (${decided})`;
  switch (status) {
    case 'applied':
    case 'emergency_applied':
    case 'ratified':
      return applied;
    case 'completed':
    case 'failed':
    case 'rolled_back':
    case 'rollback_required':
      return `${status} by the kernel's record; ${applied}`;
    case 'approved':
      return `approved (${decided})`;
    case 'rejected':
      return `rejected (by ${people})`;
    case 'expired':
    case 'withdrawn':
      return `${status} by the kernel's record`;
    default:
      return 'proposed (not decided)';
  }
}
