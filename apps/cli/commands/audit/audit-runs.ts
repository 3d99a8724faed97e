import { join, resolve } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { type Command } from 'commander';
import { type AuditRun, type AuditRunDocuments, type AuditRunPage } from '#openapi/kernel';
import { CliError } from '../../cli.error';
import { print, say, type Tone } from '../../output/print';
import { shown } from '../../output/shown';
import { type CallOptions, get, numberOf, reading, withQuery } from '../api-calls';
import { written } from './audit-receipt';

type RunsOptions = CallOptions & { limit: string; out?: string };

/** The longest page of the list (openapi/kernel.yaml). */
const PAGE = 100;

export function addAuditRuns(audit: Command): void {
  reading(audit.command('runs'))
    .summary('list the audits of the kernel, or show one and save its report')
    .description(
      'Lists what the auditor recorded, the newest first, or shows the audit ID. Nothing is called clean but what a valid seal ' +
        'says, which the kernel checks. --out saves the report and its seal, which tools/audit-verify.js --audit-report checks offline.',
    )
    .argument('[id]', 'an audit')
    .option('--limit <n>', `at most so many, up to ${PAGE}`, '20')
    .option('--out <dir>', 'save the report and the seal of the audit ID there')
    .action(async (id: string | undefined, options: RunsOptions) => {
      if (id !== undefined) await one(id, options);
      else if (options.out === undefined) await list(options);
      else throw new CliError('wrong_usage', '--out saves one report: name the audit, as the list shows it.');
    });
}

async function list(options: RunsOptions): Promise<void> {
  const limit = numberOf('--limit', options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE) {
    throw new CliError(
      'wrong_usage',
      `--limit takes a whole number from 1 to ${PAGE}, not "${options.limit}".`,
    );
  }
  const answer = await get(options, withQuery('/kernel/audit-runs', { limit: String(limit) }));
  if (options.json === true) {
    print(answer);
    return;
  }
  const { runs, nextCursor } = shown<AuditRunPage>(answer);
  if (runs.length === 0) say('no audit has been recorded; ./kernel audit run runs one');
  for (const run of runs) print(lineOf(run), toneOf(run));
  if (nextCursor !== null) say(`there are more than these ${runs.length}; say --limit for a longer list`);
}

async function one(id: string, options: RunsOptions): Promise<void> {
  const answer = await get(options, `/kernel/audit-runs/${encodeURIComponent(id)}`);
  if (options.json === true) print(answer);
  else {
    const { run, archiveKeys } = shown<AuditRunDocuments>(answer);
    print(lineOf(run), toneOf(run));
    if (run.report !== null) print(`  report ${run.report.sha256} (SHA-256), ${run.report.size} bytes`);
    if (archiveKeys !== null) print(`  in the archive: ${archiveKeys.report}`);
  }
  if (options.out !== undefined) await save(JSON.parse(answer) as AuditRunDocuments, resolve(options.out));
}

/** Saves both under the names that the archive gives them. @throws CliError `file_problem` */
async function save({ run: { id }, report, seal }: AuditRunDocuments, dir: string): Promise<void> {
  if (report === null && seal === null) throw new CliError('failed', `The audit ${id} has no report here.`);
  await mkdir(dir, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new CliError('file_problem', `${dir} cannot be made (${cause.code}).`, {}, { cause });
  });
  for (const [text, name] of [
    [report, `${id}.json`],
    [seal, `${id}.seal.json`],
  ] as const) {
    if (text === null) continue;
    await written(join(dir, name), text);
    say(`wrote ${join(dir, name)}`);
  }
}

const SEALS: Readonly<Record<AuditRun['seal'], string>> = {
  valid: 'sealed',
  none: 'not sealed',
  key_ended: 'the key of its seal has ended',
  invalid: 'NOT WRITTEN BY THE AUDITOR',
};

function lineOf({ id, startedAt, outcome, verdict, seal, events, findings, detail }: AuditRun): string {
  const counts = events === null ? '' : `  ${events} events, ${findings ?? 0} findings`;
  const says = verdict ?? (events === null ? outcome : `says ${outcome}`);
  const worth = events === null ? '' : `  ${SEALS[seal]}`;
  return `${startedAt}  ${id}  ${says}${counts}${worth}${detail === null ? '' : `\n  ${detail}`}`;
}

function toneOf({ verdict, seal, outcome }: AuditRun): Tone | undefined {
  if (verdict === 'clean') return 'good';
  return seal === 'invalid' || outcome !== 'clean' ? 'bad' : undefined;
}
