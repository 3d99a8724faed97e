import { TRUST_OPTIONS, trustOptions } from './arguments';
import { readInput, readPolicyOption, readTextInput } from './read-input';
import { hasOption, readOptions } from './read-options';
import { jsonReportPath, writeReport } from './report/report-file';
import { readTrustRoot } from './trust-root';
import { UsageError } from './usage.error';
import { judgeSingle } from './verdict/single-verdict';

/** What is printed, and whether the files prove what they say. */
export interface SingleReport {
  verified: boolean;
  lines: string[];
}

/** Options that ask for one event or one signature instead of a chain. */
const SINGLE = ['--receipt', '--event', '--manifest', '--envelope'];

/** Whether the command line asks for one event or one signature. */
export function asksForSingle(argv: readonly string[]): boolean {
  return hasOption(argv, SINGLE);
}

/**
 * `--receipt FILE --event FILE`, or `--manifest FILE --envelope FILE` with or without these: one event or one signature,
 * checked with nothing but public keys.
 * @throws UsageError
 */
export function verifySingle(argv: readonly string[]): SingleReport {
  const values = readOptions(argv, {
    ...TRUST_OPTIONS,
    receipt: { type: 'string' },
    event: { type: 'string' },
    manifest: { type: 'string' },
    envelope: { type: 'string' },
    policy: { type: 'string' },
    report: { type: 'string' },
    json: { type: 'boolean' },
  });
  if (values.signers === undefined) {
    throw new UsageError('--signers is missing: name the signers.json to trust.');
  }
  const reportPath = values.report === undefined ? null : jsonReportPath(values.report);
  const record = pair('--receipt', values.receipt, '--event', values.event);
  const signature = pair('--manifest', values.manifest, '--envelope', values.envelope);
  if (values.policy !== undefined && record === null) {
    throw new UsageError(
      "--policy says whose cosignatures a --receipt's checkpoint needs, which is missing.",
    );
  }
  const trust = readTrustRoot(trustOptions(values));
  if (record === null && signature === null) {
    throw new UsageError('Nothing to verify: name --receipt FILE and --event FILE.');
  }
  const { verified, lines, json } = judgeSingle(
    {
      record: record && {
        receipt: readTextInput('--receipt', record[0]),
        event: readInput('--event', record[1]),
      },
      signature: signature && {
        manifest: readInput('--manifest', signature[0]),
        envelope: readInput('--envelope', signature[1]),
      },
      ...(values.policy === undefined ? {} : { policy: readPolicyOption(values.policy) }),
    },
    trust,
  );
  const text = JSON.stringify(json);
  if (reportPath !== null) writeReport(reportPath, `${text}\n`);
  return { verified, lines: values.json === true ? [text] : lines };
}

/** Two options that come together, or not at all. */
function pair(
  one: string,
  first: string | undefined,
  other: string,
  second: string | undefined,
): [string, string] | null {
  if (first !== undefined && second !== undefined) return [first, second];
  if (first === undefined && second === undefined) return null;
  const [given, missing] = first === undefined ? [other, one] : [one, other];
  throw new UsageError(`${given} goes with ${missing}, which is missing.`);
}
