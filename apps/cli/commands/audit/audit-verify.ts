import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command } from 'commander';
import { programFolder } from '#dev/devstack';
import {
  connectionFrom,
  type ConnectionOptions,
  kernelVariables,
  withConnectionOptions,
} from '../../api/connection';
import { fetchSigners } from '../../api/fetch-signers';
import { CliError } from '../../cli.error';
import { say } from '../../output/print';

export interface VerifyOptions extends ConnectionOptions {
  signers?: string;
  dir?: string;
  s3?: string;
  s3Endpoint?: string;
  export?: string;
  databaseUrl?: string;
  origin?: string;
  from?: string;
  shard?: string;
  expectHead?: string[];
  shards?: string;
  firstPool?: string;
  checkpoint?: string[];
  policy?: string;
  report?: string;
  chainOnly?: true;
  jobs?: string;
  json?: true;
}

export function addAuditVerify(audit: Command): void {
  withConnectionOptions(audit.command('verify'))
    .description(
      [
        'Runs tools/audit-verify.js over the whole chain: of the kernel in the state folder (its database), or of an',
        'export. Signers come from the running kernel over TLS, or from a file that you trust more.',
      ].join(' '),
    )
    .option('--signers <file>', 'signers.json, the trust root (default: fetched from the kernel)')
    .option('--export <file>', 'verify an NDJSON export')
    .option('--dir <dir>', 'verify an archive folder')
    .option('--s3 <url>', 'verify an archive in a bucket (credentials from the AWS variables)')
    .option('--s3-endpoint <url>', 'S3 server for s3://bucket')
    .option('--database-url <url>', 'verify the event store in this database')
    .option('--origin <name>', 'name of the kernel whose chain it must be')
    .option('--from <seq>', 'first position to check in each shard')
    .option('--shard <n>', 'check this shard only')
    .option(
      '--expect-head <heads...>',
      'heads seen earlier that must still be in the chain, or a file with them',
    )
    .option('--shards <n>', 'how many shards it has, where signers.json does not say it')
    .option(
      '--first-pool <pool>',
      'the approver pool it was founded with, where signers.json does not say it',
    )
    .option(
      '--checkpoint <files...>',
      "published checkpoints of the shards' logs with which the chain must agree",
    )
    .option('--policy <file>', 'whose cosignatures they need (c2sp.org/tlog-policy)')
    .option('--report <file>', 'write a report to hand on: .html, .csv or .json')
    .option('--chain-only', 'hashes, links and order, without signatures')
    .option('--jobs <n>', 'worker threads (default: one per core)')
    .option('--json', 'print the result as JSON')
    .action(async (options: VerifyOptions) => {
      process.exitCode = await verifyChain(options);
    });
}

/** @returns the exit code of tools/audit-verify.js */
export async function verifyChain(options: VerifyOptions): Promise<number> {
  const tool = join(programFolder(), 'tools', 'audit-verify.js');
  if (!existsSync(tool))
    throw new CliError('file_problem', `${tool} is missing; build it with npm run build.`);
  const sources = [options.export, options.dir, options.s3, options.databaseUrl].filter(
    (source) => source !== undefined,
  );
  if (sources.length > 1) {
    throw new CliError(
      'wrong_usage',
      'Only one of --export, --dir, --s3 and --database-url can be verified at a time.',
    );
  }
  const scratch = await mkdtemp(join(tmpdir(), 'kernel-audit-verify-'));
  try {
    const args: string[] = [];
    if (options.signers !== undefined) args.push('--signers', options.signers);
    else if (options.chainOnly !== true) args.push('--signers', await signersOfKernel(options, scratch));
    if (options.export !== undefined) args.push('--export', options.export);
    else if (options.dir !== undefined) args.push('--dir', options.dir);
    else if (options.s3 !== undefined) args.push('--s3', options.s3);
    else args.push('--database-url', options.databaseUrl ?? (await databaseUrlOf(options)));
    const origin = options.origin ?? (await originOf(options));
    if (origin !== undefined) args.push('--origin', origin);
    for (const [flag, value] of Object.entries({
      '--from': options.from,
      '--shard': options.shard,
      '--jobs': options.jobs,
      '--s3-endpoint': options.s3Endpoint,
      '--shards': options.shards,
      '--first-pool': options.firstPool,
      '--policy': options.policy,
      '--report': options.report,
    })) {
      if (value !== undefined) args.push(flag, value);
    }
    for (const head of options.expectHead ?? []) args.push('--expect-head', head);
    for (const file of options.checkpoint ?? []) args.push('--checkpoint', file);
    if (options.chainOnly === true) args.push('--chain-only');
    if (options.json === true) args.push('--json');
    return await runTool(tool, args);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function databaseUrlOf(options: VerifyOptions): Promise<string> {
  const url = (await kernelVariables(options))['DATABASE_URL'];
  if (url === undefined) {
    throw new CliError(
      'wrong_usage',
      'The database of this kernel is not known; name it with --database-url.',
    );
  }
  return url;
}

/** Origin when it is known; for evidence from elsewhere the caller names it. */
async function originOf(options: VerifyOptions): Promise<string | undefined> {
  try {
    return (await kernelVariables(options))['KERNEL_ORIGIN'];
  } catch (error) {
    if (error instanceof CliError && error.code === 'not_running') return undefined;
    throw error;
  }
}

async function signersOfKernel(options: VerifyOptions, scratch: string): Promise<string> {
  const connection = await connectionFrom(options);
  const file = await fetchSigners(connection, scratch);
  if (options.json !== true) say(`signers from ${connection.url}`);
  return file;
}

async function runTool(tool: string, args: readonly string[]): Promise<number> {
  return await new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [tool, ...args], { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
