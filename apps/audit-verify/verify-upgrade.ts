import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { printable, verifyUpgradeEvidence } from '#evidence';
import { trustOptions } from './arguments';
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

/** `--upgrade FILE --signers FILE [--origin ORIGIN] [--shards N] [--first-pool POOL] [--json]`: one file, checked with nothing but public keys. */
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
        json: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { upgrade, signers } = values;
  if (upgrade === undefined || upgrade === '') throw new UsageError('--upgrade needs a file.');
  if (signers === undefined) throw new UsageError('--signers is missing: name the signers.json to trust.');
  const trust = readTrustRoot(trustOptions(values));
  let file: Uint8Array;
  try {
    file = readFileSync(upgrade);
  } catch (error) {
    throw new UsageError(`--upgrade ${upgrade}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { faults, ...verdict } = verifyUpgradeEvidence(file, trust);
  const verified = faults.length === 0;
  if (values.json === true) return { verified, lines: [JSON.stringify({ verified, ...verdict, faults })] };
  if (!verified) return { verified, lines: faults.map(printable) };
  const { upgradeId, status, approvers, required, events, log } = verdict;
  const decided =
    required === null ? 'not decided' : `${approvers.length} of ${required}: ${approvers.join(', ')}`;
  const last = events.at(-1);
  return {
    verified,
    lines: [
      printable(`Upgrade ${upgradeId} verified: ${status} (${decided}).`),
      log === null
        ? 'The file has no proofs of inclusion: check with the chain as a whole that its events are in there.'
        : printable(`All its events are in the log ${log.name} at size ${log.size}, root ${log.root}.`),
      `Last event ${last?.shard}:${last?.seq}:${last?.hash}, a head to expect of the chain (--expect-head).`,
    ],
  };
}
