import { readFileSync } from 'node:fs';
import { EvidenceError, parseLogPolicy, type LogPolicy } from '#evidence';
import { trustOptions } from './arguments';
import { hasOption, readOptions } from './read-options';
import { jsonReportPath, writeReport } from './report/report-file';
import { readTrustRoot } from './trust-root';
import { UsageError } from './usage.error';
import { judgeUpgrade } from './verdict/upgrade-verdict';

/** What is printed, and whether the file proves what it says. */
export interface UpgradeReport {
  verified: boolean;
  lines: string[];
}

/** Whether the command line asks for the evidence of an upgrade instead of a chain. */
export function asksForUpgrade(argv: readonly string[]): boolean {
  return hasOption(argv, ['--upgrade']);
}

/**
 * `--upgrade FILE --signers FILE [--origin ORIGIN] [--shards N] [--first-pool POOL] [--policy FILE] [--without-proofs]
 * [--report FILE] [--json]`: one file, checked with nothing but the trust root.
 */
export function verifyUpgradeFile(argv: readonly string[]): UpgradeReport {
  const values = readOptions(argv, {
    upgrade: { type: 'string' },
    signers: { type: 'string' },
    origin: { type: 'string' },
    shards: { type: 'string' },
    'first-pool': { type: 'string' },
    policy: { type: 'string' },
    'without-proofs': { type: 'boolean' },
    report: { type: 'string' },
    json: { type: 'boolean' },
  });
  const { upgrade, signers, 'without-proofs': withoutProofs = false } = values;
  if (upgrade === undefined || upgrade === '') throw new UsageError('--upgrade needs a file.');
  if (signers === undefined) throw new UsageError('--signers is missing: name the signers.json to trust.');
  const reportPath = values.report === undefined ? null : jsonReportPath(values.report);
  const trust = readTrustRoot(trustOptions(values));
  const policy = values.policy === undefined ? null : readPolicy(values.policy);
  const file = fileOf('--upgrade', upgrade);
  const { verified, lines, json } = judgeUpgrade(file, trust, { withoutProofs, policy });
  const text = JSON.stringify(json);
  if (reportPath !== null) writeReport(reportPath, `${text}\n`);
  return { verified, lines: values.json === true ? [text] : lines };
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
