import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  EvidenceError,
  parseLogPolicy,
  printable,
  verifyUpgradeEvidence,
  type LogPolicy,
  type UpgradeEvidenceVerdict,
} from '#evidence';
import { trustOptions } from './arguments';
import { jsonReportPath, writeReport } from './report/report-file';
import { readTrustRoot } from './trust-root';
import { UsageError } from './usage.error';

/** What is printed, and whether the file proves what it says. */
export interface UpgradeReport {
  verified: boolean;
  lines: string[];
}

/** Whether the command line asks for the evidence of an upgrade instead of a chain. */
export function asksForUpgrade(argv: readonly string[]): boolean {
  return argv.some((argument) => argument === '--upgrade' || argument.startsWith('--upgrade='));
}

/**
 * `--upgrade FILE --signers FILE [--origin ORIGIN] [--shards N] [--first-pool POOL] [--policy FILE] [--without-proofs]
 * [--report FILE] [--json]`: one file, checked with nothing but the trust root.
 */
export function verifyUpgradeFile(argv: readonly string[]): UpgradeReport {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        upgrade: { type: 'string' },
        signers: { type: 'string' },
        origin: { type: 'string' },
        shards: { type: 'string' },
        'first-pool': { type: 'string' },
        policy: { type: 'string' },
        'without-proofs': { type: 'boolean' },
        report: { type: 'string' },
        json: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { upgrade, signers, 'without-proofs': withoutProofs = false } = values;
  if (upgrade === undefined || upgrade === '') throw new UsageError('--upgrade needs a file.');
  if (signers === undefined) throw new UsageError('--signers is missing: name the signers.json to trust.');
  const reportPath = values.report === undefined ? null : jsonReportPath(values.report);
  const trust = readTrustRoot(trustOptions(values));
  const policy = values.policy === undefined ? null : readPolicy(values.policy);
  const file = fileOf('--upgrade', upgrade);
  const verdict = verifyUpgradeEvidence(file, trust, { withoutProofs, policy });
  const verified = verdict.faults.length === 0;
  const json = JSON.stringify({ verified, anchored: verdict.log !== null, ...verdict });
  if (reportPath !== null) writeReport(reportPath, `${json}\n`);
  if (values.json === true) return { verified, lines: [json] };
  if (!verified) return { verified, lines: verdict.faults.map(printable) };
  return { verified, lines: verdictLines(verdict).map(printable) };
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

function readPolicy(path: string): LogPolicy {
  try {
    return parseLogPolicy(fileOf('--policy', path));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UsageError(`--policy ${path}: ${error.message}`);
  }
}

function fileOf(option: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${option} ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
