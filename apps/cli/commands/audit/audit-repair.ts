import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { userInfo } from 'node:os';
import { type Command } from 'commander';
import { repairStore, type StoreRepairReport } from '#platform/event-store';
import { CliError } from '../../cli.error';
import { print, say } from '../../output/print';
import { asOwner, type OwnerOptions, wholeFrom, withOwnerOptions } from '../as-owner';
import { dangerous, type DangerOptions, mayGoOn } from '../dangerous';

interface RepairCommandOptions extends OwnerOptions, DangerOptions {
  shard: number;
  from: number;
  reason: string;
  out: string;
  by?: string;
}

export function addAuditRepair(audit: Command): void {
  dangerous(
    withOwnerOptions(
      audit
        .command('repair')
        .summary('remove rows from the end of a shard that are no events of this kernel'),
    ),
  )
    .description(
      [
        'For the alarm "integrity" (runbooks/integrity-alarm.md): someone wrote rows into the event log with the rights of the',
        'kernel’s database role, and the kernel refuses to build on them. Removes them from a position on, puts the head back,',
        'and keeps what it removed in a file. The kernel records it as store.repaired, signed, as soon as it writes again.',
        'Refuses unless the kernel is in safe-mode, every row to remove fails verification, and the one before them passes it.',
        'Needs the database as its owner (DATABASE_OWNER_URL), or a state folder.',
      ].join(' '),
    )
    .requiredOption('--shard <number>', 'the shard', wholeFrom(0))
    .requiredOption('--from <seq>', 'position of the first row to remove', wholeFrom(1))
    .requiredOption('--reason <text>', 'why; it is recorded')
    .requiredOption('--out <file>', 'new file for what is removed, a line of JSON for each row')
    .option('--by <name>', 'who does it; it is recorded (default: the account that runs this)')
    .option('--json', 'as without it: the result is JSON')
    .action(async (options: RepairCommandOptions) => {
      const effects = [
        `The rows of shard ${options.shard} from position ${options.from} on are removed from the event log, if each of them fails verification.`,
        `They are kept in ${resolve(options.out)}.`,
      ];
      if (!(await mayGoOn(options, effects))) return;
      const { shard, fromSeq, toSeq, head, eventId } = await run(options);
      say(`removed ${shard}:${fromSeq} to ${shard}:${toSeq}, kept in ${resolve(options.out)}`);
      say(
        `the shard ends at ${shard}:${head.seq} again; ./kernel mode normal lets the kernel write and record it`,
      );
      print(JSON.stringify({ shard, fromSeq, toSeq, head, eventId }));
    });
}

async function run(options: RepairCommandOptions): Promise<StoreRepairReport> {
  const { shard, from: fromSeq, reason, by: statedBy = userInfo().username } = options;
  return asOwner(options, 'kernel-repair', ({ ownerUrl, origin, verifier }) =>
    repairStore({
      ownerUrl,
      origin,
      shard,
      fromSeq,
      reason,
      statedBy,
      verifier,
      keep: (lines) => keep(resolve(options.out), lines),
    }),
  );
}

/** On disk before a row is removed, and never over an existing file. */
async function keep(file: string, lines: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((cause: Error) => {
    throw new CliError('file_problem', `${file} cannot be created: ${cause.message}`, {}, { cause });
  });
  try {
    await handle.writeFile(lines);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
