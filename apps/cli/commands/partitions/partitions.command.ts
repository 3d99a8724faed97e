import { userInfo } from 'node:os';
import { type Command } from 'commander';
import { detachPartitions, type DetachReport, listPartitions } from '#platform/event-store';
import { print, say, table } from '../../output/print';
import { asOwner, type OwnerOptions, wholeFrom, withOwnerOptions } from '../as-owner';
import { dangerous, type DangerOptions, mayGoOn } from '../dangerous';
import { openNamedArchive } from '../replay/open-named-archive';
import { archivedCopies } from './archived-copies';
import { publishedCheckpoints } from './published-checkpoints';

interface DetachCommandOptions extends OwnerOptions, DangerOptions {
  shard: number;
  below: number;
  reason: string;
  by?: string;
  archiveDir?: string;
}

export function addPartitions(program: Command): void {
  const partitions = program
    .command('partitions')
    .summary('list the partitions of the event log, and detach what is archived')
    .description(
      'The event log is in partitions, each a run of one shard (docs/scaling.md). Needs the database as its owner (DATABASE_OWNER_URL), or a state folder.',
    );
  withOwnerOptions(partitions.command('list').summary('list the partitions of every shard'))
    .option('--json', 'print JSON')
    .action(async (options: OwnerOptions & { json?: true }) => {
      const listed = await asOwner(options, 'kernel-partitions', ({ dataSource }) =>
        listPartitions(dataSource),
      );
      if (options.json === true) print(JSON.stringify(listed, null, 2));
      else print(table(listed.map(({ bytes, ...row }) => ({ ...row, MB: (bytes / 1e6).toFixed(1) }))));
    });
  dangerous(
    withOwnerOptions(
      partitions.command('detach').summary('take the oldest partitions of a shard out of the log'),
    ),
  )
    .description(
      [
        'Detaches and drops the partitions of a shard that end before a position. What was in them is read from the audit',
        'index then, and stays in the archive. Refused unless every event verifies, archive and index have it with the same',
        'bytes, a published checkpoint covers it (where a log is published), relay and workers are past it, and no legal hold',
        'touches it. Reads every object of the archive, so it may take hours; nothing changes before everything was looked at.',
        'The kernel records it as store.detached, signed. Kernel and workers may be at work.',
      ].join(' '),
    )
    .requiredOption('--shard <number>', 'the shard', wholeFrom(0))
    .requiredOption('--below <seq>', 'partitions that end before this position', wholeFrom(2))
    .requiredOption('--reason <text>', 'why; it is recorded')
    .option('--by <name>', 'who does it; it is recorded (default: the account that runs this)')
    .option('--archive-dir <dir>', 'an archive in a folder (default: KERNEL_ARCHIVE and what belongs to it)')
    .option('--json', 'as without it: the result is JSON')
    .action(async (options: DetachCommandOptions) => {
      // Its own --dry-run looks at everything, as the command itself does before it changes anything.
      const effects = [
        `The partitions of shard ${options.shard} below position ${options.below} are dropped from the event log, if all else has what is in them.`,
      ];
      if (options.dryRun !== true && !(await mayGoOn(options, effects))) return;
      const report = await detach(options);
      const { shard, fromSeq, toSeq, partitions: names, kept } = report;
      const range = `${shard}:${fromSeq} to ${shard}:${toSeq} (${names.join(', ')})`;
      say(
        options.dryRun === true
          ? `could detach ${range}; ${kept} events of what the kernel decides by would stay`
          : `detached ${range}; ${kept} events of what the kernel decides by stay`,
      );
      print(JSON.stringify(report));
    });
}

async function detach(options: DetachCommandOptions): Promise<DetachReport> {
  return asOwner(options, 'kernel-partitions', async (database) => {
    const { archive } = await openNamedArchive(database.variables, options.archiveDir);
    let said = 0;
    try {
      return await detachPartitions({
        ...database,
        shard: options.shard,
        below: options.below,
        reason: options.reason,
        statedBy: options.by ?? userInfo().username,
        dryRun: options.dryRun === true,
        archived: archivedCopies(archive),
        logged: publishedCheckpoints(archive, database),
        onProgress: (seq, last) => {
          if (seq - said < PROGRESS_EVENTS) return;
          said = seq;
          say(`compared up to ${options.shard}:${seq} of ${last}`);
        },
      });
    } finally {
      await archive.close();
    }
  });
}

/** Events between two lines of progress. */
const PROGRESS_EVENTS = 50_000;
