/** Verifies evidence offline, with public keys alone; built into tools/audit-verify.js and tools/verify.html. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type Arguments, readArguments, USAGE } from './arguments';
import { asksForSigners, describeSigners } from './check-signers';
import { serveTasks } from './check/check.worker';
import { type InspectionSetup } from './verdict/inspected/inspected-events';
import { type ChainReport, reportLines } from './report/chain-report';
import { count, ProgressBar } from './report/progress-bar';
import { csvReport } from './report/csv-report';
import { htmlReport } from './report/html-report';
import { writeReport } from './report/report-file';
import { UsageError } from './usage.error';
import { asksForAuditReport, verifyAuditReport } from './verify-audit-report';
import { verifyChain } from './verify-chain';
import { asksForSingle, verifySingle } from './verify-single';
import { asksForUpgrade, verifyUpgradeFile } from './verify-upgrade';

const EXIT = { verified: 0, faults: 1, usage: 2 } as const;

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return EXIT.verified;
  }
  if (asksForUpgrade(argv)) {
    const { verified, lines } = verifyUpgradeFile(argv);
    process.stdout.write(`${lines.join('\n')}\n`);
    return verified ? EXIT.verified : EXIT.faults;
  }
  if (asksForAuditReport(argv)) {
    const { verified, lines } = verifyAuditReport(argv);
    process.stdout.write(`${lines.join('\n')}\n`);
    return verified ? EXIT.verified : EXIT.faults;
  }
  if (asksForSingle(argv)) {
    const { verified, lines } = verifySingle(argv);
    process.stdout.write(`${lines.join('\n')}\n`);
    return verified ? EXIT.verified : EXIT.faults;
  }
  // eslint-disable-next-line no-restricted-properties -- DATABASE_URL and AWS's own variables, which stand in for arguments; there are no other settings
  const environment = process.env;
  if (asksForSigners(argv, environment)) {
    process.stdout.write(`${describeSigners(argv).join('\n')}\n`);
    // A script that forgets its source must not pass.
    return EXIT.usage;
  }
  const args = readArguments(argv, environment);
  if (args === null) {
    process.stdout.write(USAGE);
    return EXIT.verified;
  }
  const started = performance.now();
  const report = await verifyChain(args, __filename, new ProgressBar(process.stderr));
  const seconds = (performance.now() - started) / 1_000;
  if (args.report !== null) writeReport(args.report.path, reportText(args, report));
  const lines = args.json ? [JSON.stringify({ ...report, seconds })] : reportLines(report);
  process.stdout.write(`${lines.join('\n')}\n`);
  if (!args.json) {
    const signatures = report.signatures ? '' : ' (chain only, signatures not checked)';
    const faults = report.faultCount === 1 ? '1 fault' : `${count(report.faultCount)} faults`;
    const listed = report.faultCount > report.faults.length ? ` (${count(report.faults.length)} listed)` : '';
    process.stderr.write(
      `${count(report.events)} events${signatures}${manifestsText(report)} of ${report.origin} in ${seconds.toFixed(1)} s, ${faults}${listed}\n`,
    );
  }
  return report.verified ? EXIT.verified : EXIT.faults;
}

/** What an auditor hands on. */
function reportText({ source, report: file }: Arguments, report: ChainReport): string {
  const facts = { report, madeAt: new Date().toISOString(), source: SOURCES[source.kind] };
  if (file?.kind === 'html') return htmlReport(facts);
  if (file?.kind === 'csv') return csvReport(facts);
  return `${JSON.stringify({ madeAt: facts.madeAt, source: facts.source, ...report }, null, 2)}\n`;
}

/** Words for where events were read; a URL may have a password in it. */
const SOURCES: Readonly<Record<Arguments['source']['kind'], string>> = {
  export: 'an export',
  dir: 'an archive in a folder',
  s3: 'an archive in a bucket',
  database: 'the event store',
};

function manifestsText({ manifests, signatures }: ChainReport): string {
  if (manifests === undefined || manifests.count === 0) return '';
  const unsigned =
    manifests.signatures || !signatures ? '' : ' (unsigned: the signers have no checkpoint key)';
  const days = manifests.count === 1 ? '1 day manifest' : `${count(manifests.count)} day manifests`;
  return `, ${days}${unsigned}`;
}

if (isMainThread) {
  // The reader of the report may stop reading (`| head`); the exit code still tells the result.
  process.stdout.on('error', () => undefined);
  main().then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      process.exitCode = EXIT.usage;
      const text = error instanceof Error ? error.message : String(error);
      if (error instanceof UsageError) process.stderr.write(`audit-verify: ${text}\n`);
      else process.stderr.write(`audit-verify failed: ${error instanceof Error ? error.stack : text}\n`);
    },
  );
} else if (parentPort !== null) {
  serveTasks(parentPort, workerData as InspectionSetup);
}
