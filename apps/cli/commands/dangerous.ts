import { type Command } from 'commander';
import { CliError } from '../cli.error';
import { note, print, questions } from '../output/print';
import { consent } from './upgrade/consent';

export interface DangerOptions {
  yes?: true;
  dryRun?: true;
  json?: true;
}

/** Adds `--yes` and `--dry-run` to a command whose effect cannot be taken back, or reaches everyone. */
export function dangerous(command: Command): Command {
  return command
    .option('--dry-run', 'say what would happen, and do nothing')
    .option('--yes', 'do not ask before it is done');
}

/**
 * Whether a dangerous command may go on: with `--yes`, or when the person at the terminal agrees. With `--dry-run` it
 * prints what would happen instead.
 * @param effects what the command does, one sentence each
 * @throws CliError `wrong_usage` where no one can be asked, `failed` when they do not agree
 */
export async function mayGoOn(
  { yes, dryRun, json }: DangerOptions,
  effects: readonly string[],
): Promise<boolean> {
  if (dryRun === true) {
    print(
      json === true
        ? JSON.stringify({ dryRun: true, effects })
        : ['Nothing was done. Without --dry-run:', ...effects.map((effect) => `  ${effect}`)].join('\n'),
    );
    return false;
  }
  if (yes === true) return true;
  if (!process.stdin.isTTY) {
    throw new CliError(
      'wrong_usage',
      `${effects.join(' ')} No one can be asked here; repeat with --yes, or with --dry-run to look first.`,
    );
  }
  note(effects.join('\n'));
  await consent('Go on? [y/N] ', process.stdin, questions, 'Nothing was done.');
  return true;
}
