// The acceptance of a deployment: asks a running kernel, as its callers do, whether it does what it promises.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callersOf } from './callers.mjs';
import { clusterChecks } from './checks/cluster.mjs';
import { deliveryChecks } from './checks/delivery.mjs';
import { governanceChecks } from './checks/governance.mjs';
import { keyChecks } from './checks/keys.mjs';
import { peopleChecks } from './checks/people.mjs';
import { pipelineChecks } from './checks/pipeline.mjs';
import { roleChecks } from './checks/roles.mjs';
import { runningChecks } from './checks/running.mjs';
import { signingChecks } from './checks/signing.mjs';
import { readOptions, USAGE, WrongUse } from './options.mjs';
import { asJson, asTable, judged } from './verdicts.mjs';

/** In this order: the chain is verified after all that was written, and a check finds in `context` what others have shown. */
const CHECKS = [
  ...runningChecks,
  ...signingChecks,
  ...governanceChecks,
  ...pipelineChecks,
  ...keyChecks,
  ...clusterChecks,
  ...roleChecks,
  ...peopleChecks,
  ...deliveryChecks,
];

async function run() {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'kernel-acceptance-'));
  const callers = callersOf(options);
  try {
    const context = { options, folder, callers, shown: {} };
    const rows = [];
    for (const check of CHECKS) {
      const row = await judged(check, context);
      rows.push(row);
      if (!options.json) process.stderr.write(`${row.verdict.padEnd(11)} ${row.check}\n`);
    }
    rows.sort((a, b) => a.criterion - b.criterion);
    process.stdout.write(options.json ? asJson(options.url, rows) : asTable(options.url, rows));
    const isAccepted = rows.every(
      ({ verdict }) => verdict === 'passed' || (verdict === 'not checked' && !options.strict),
    );
    return isAccepted ? 0 : 1;
  } finally {
    for (const caller of Object.values(callers)) caller?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await run();
} catch (error) {
  if (!(error instanceof WrongUse)) throw error;
  process.stderr.write(`acceptance: ${error.message}\n`);
  process.exitCode = 2;
}
