import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { readTrustRoot } from '#platform/audit-stream';
import { openEventStoreDataSource } from '#platform/event-store';
import { loadPart } from '#platform/process';
import { checkPages, emptyFolder, programFolder } from '#dev/devstack';
import { connectionFrom, type ConnectionOptions } from '../../api/connection';
import { fetchSigners } from '../../api/fetch-signers';
import { CliError } from '../../cli.error';
import { say } from '../../output/print';
import { openNamedArchive } from '../replay/open-named-archive';
import { replayConfig } from '../replay/replay.config';
import { type ComparedHead, compareHeads } from './compare-heads';
import { type OpenBackups } from './open-backups';
import { recoverBackup } from './recover-backup';

export interface VerifiedBackup {
  readonly backup: string;
  readonly newestWal: string;
  readonly skipped: readonly { readonly id: string; readonly why: string }[];
  readonly heads: readonly ComparedHead[];
  /** Events that the verifier checked, as it reports them. */
  readonly verifier: unknown;
  /** `checked`, or `off` where the database has no checksums. */
  readonly pages: 'checked' | 'off' | 'damaged';
  readonly seconds: number;
  /** Empty: the backup can be restored, and agrees with archive and log. */
  readonly problems: readonly string[];
}

export interface VerifyBackupOptions extends ConnectionOptions {
  backup?: string;
  signers?: string;
  archiveDir?: string;
}

/** Restores a backup into a scratch folder, verifies what is in it, and removes it again. */
export async function verifyBackup(
  backups: OpenBackups,
  options: VerifyBackupOptions,
  limitMs: number,
): Promise<VerifiedBackup> {
  const started = performance.now();
  const { scratch, settings, variables } = backups;
  const signers = options.signers ?? (await fetchSigners(await connectionFrom(options), scratch));
  const { archive } = await openNamedArchive(variables, options.archiveDir);
  const folder = await emptyFolder(join(scratch, 'data'));
  try {
    const { base, skipped, newestWal, cluster } = await recoverBackup(backups, {
      folder,
      to: null,
      backup: options.backup,
      limitMs,
    });
    const problems = skipped.map(({ id, why }) => `The newer base backup ${id} could not be used: ${why}`);
    let heads: readonly ComparedHead[] = [];
    let verifier: unknown = null;
    try {
      const url = cluster.urlOf(settings.backupDatabase);
      say('verifying every event');
      const verdict = await runVerifier(url, signers);
      verifier = verdict.report;
      if (verdict.code !== 0) problems.push(`The verifier found faults: ${verdict.text}`);
      const dataSource = await openEventStoreDataSource({
        url,
        poolSize: 2,
        applicationName: 'kernel-backup',
      });
      try {
        const [chain] = await dataSource.query<{ origin: string; shards: number }[]>(
          'SELECT origin, shards FROM kernel.chain',
        );
        if (chain === undefined)
          throw new CliError('failed', 'The database of the backup does not say whose chain it holds.');
        const { isProduction } = loadPart(replayConfig, variables);
        const roots = readTrustRoot({ trustRootFile: signers, isProduction }, chain.origin);
        const compared = await compareHeads({ dataSource, ...chain, roots, archive });
        heads = compared.heads;
        problems.push(...compared.problems);
      } finally {
        await dataSource.destroy();
      }
    } finally {
      await cluster.stop();
    }
    say('checking every page');
    const pages = await checkPages(folder.data);
    if (typeof pages === 'object') {
      problems.push(`Pages of the restored database are damaged: ${pages.damaged}`);
    }
    return {
      backup: base.id,
      newestWal,
      skipped,
      heads,
      verifier,
      pages: typeof pages === 'object' ? 'damaged' : pages,
      seconds: (performance.now() - started) / 1_000,
      problems,
    };
  } finally {
    await archive.close();
  }
}

/** tools/audit-verify.js over a database. */
async function runVerifier(
  url: string,
  signers: string,
): Promise<{ code: number; report: unknown; text: string }> {
  const tool = join(programFolder(), 'tools', 'audit-verify.js');
  const child = spawn(process.execPath, [tool, '--signers', signers, '--database-url', url, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Nothing of this process's settings decides what is verified.
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out = (out + chunk.toString('utf8')).slice(-MOST_TEXT)));
  child.stderr.on('data', (chunk: Buffer) => (err = (err + chunk.toString('utf8')).slice(-MOST_TEXT)));
  const [code] = (await once(child, 'close')) as [number | null];
  let report: unknown = null;
  try {
    report = JSON.parse(out);
  } catch {
    // Wrong use has no report; its text says what it is.
  }
  return { code: code ?? 1, report, text: (report === null ? err : out).trim().slice(0, MOST_QUOTED) };
}

const MOST_TEXT = 1 << 20;
const MOST_QUOTED = 2_000;
