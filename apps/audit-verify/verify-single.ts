import { parseArgs } from 'node:util';
import {
  type LogPlace,
  type LogPolicy,
  printable,
  type RecordedManifestVerdict,
  type ReceiptVerdict,
  type TrustRoot,
  verifyReceipt,
  verifyRecordedManifest,
} from '#evidence';
import { TRUST_OPTIONS, trustOptions } from './arguments';
import { readInput, readPolicyOption, readTextInput } from './read-input';
import { jsonReportPath, writeReport } from './report/report-file';
import { readTrustRoot } from './trust-root';
import { UsageError } from './usage.error';

/** What is printed, and whether the files prove what they say. */
export interface SingleReport {
  verified: boolean;
  lines: string[];
}

/** Options that ask for one event or one signature instead of a chain. */
const SINGLE = ['--receipt', '--event', '--manifest', '--envelope'];

/** Whether the command line asks for one event or one signature. */
export function asksForSingle(argv: readonly string[]): boolean {
  return argv.some((argument) => SINGLE.some((name) => argument === name || argument.startsWith(`${name}=`)));
}

/**
 * `--receipt FILE --event FILE`, or `--manifest FILE --envelope FILE` with or without these: one event or one signature,
 * checked with nothing but public keys.
 * @throws UsageError
 */
export function verifySingle(argv: readonly string[]): SingleReport {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        ...TRUST_OPTIONS,
        receipt: { type: 'string' },
        event: { type: 'string' },
        manifest: { type: 'string' },
        envelope: { type: 'string' },
        policy: { type: 'string' },
        report: { type: 'string' },
        json: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
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
  const given = {
    trust,
    ...(values.policy === undefined ? {} : { policy: readPolicyOption(values.policy) }),
  };
  const files = record && {
    receipt: readTextInput('--receipt', record[0]),
    event: readInput('--event', record[1]),
  };
  const judged = judge(signature, files, given);
  const { verdict, sentence } = judged;
  const verified = verdict.faults.length === 0;
  const json = JSON.stringify({ verified, origin: trust.origin, ...verdict });
  if (reportPath !== null) writeReport(reportPath, `${json}\n`);
  if (values.json === true) return { verified, lines: [json] };
  if (!verified) return { verified, lines: verdict.faults.map(printable) };
  const lines = [
    ...verdict.checked.map((what) => `checked: ${what}`),
    ...verdict.notChecked.map((what) => `not checked: ${what}`),
    sentence,
  ];
  return { verified, lines: lines.map(printable) };
}

function judge(
  signature: [string, string] | null,
  record: { receipt: string; event: Uint8Array } | null,
  given: { trust: TrustRoot; policy?: LogPolicy },
): { verdict: ReceiptVerdict | RecordedManifestVerdict; sentence: string } {
  if (signature !== null) {
    const [manifest, envelope] = signature;
    const files = {
      manifest: readInput('--manifest', manifest),
      envelope: readInput('--envelope', envelope),
    };
    return ofManifest(verifyRecordedManifest({ ...files, record, ...given }));
  }
  if (record === null) throw new UsageError('Nothing to verify: name --receipt FILE and --event FILE.');
  return ofEvent(verifyReceipt({ ...record, ...given }));
}

function ofEvent(verdict: ReceiptVerdict): { verdict: ReceiptVerdict; sentence: string } {
  const { event, log } = verdict;
  const sentence =
    event === null || log === null
      ? ''
      : `Event verified: ${event.id}, ${event.type}, position ${event.shard}:${event.seq}, hash ${event.hash}; ${placeText(log)}.`;
  return { verdict, sentence };
}

function ofManifest(verdict: RecordedManifestVerdict): {
  verdict: RecordedManifestVerdict;
  sentence: string;
} {
  const { statement, recordedAt, log } = verdict;
  if (statement === null) return { verdict, sentence: '' };
  const { manifestId, version, sha256 } = statement;
  const where =
    recordedAt === null || log === null
      ? 'not shown to be recorded'
      : `recorded at ${recordedAt.shard}:${recordedAt.seq} by event ${recordedAt.id}; ${placeText(log)}`;
  const sentence = `Manifest signature verified: ${manifestId}, version ${version}, SHA-256 ${sha256}; ${where}.`;
  return { verdict, sentence };
}

function placeText({ name, size, cosigned }: LogPlace): string {
  const by = cosigned.map((witness) => witness.name).join(', ');
  return `in the log ${name} at size ${size}, ${by === '' ? 'without cosignatures' : `cosigned by ${by}`}`;
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
