import { type AuditEvent, type TrustRoot } from '#evidence';
import { type Arguments } from './arguments';
import { DayManifestCheck } from './check/day-manifests';
import { SortedRecords } from './check/sorted-records';
import { SpillPartitions } from './check/spill-partitions';
import { type Task } from './check/tasks';
import { TemporaryFolder } from './check/temporary-folder';
import { WorkerPool } from './check/worker-pool';
import { type ChainReport } from './report/chain-report';
import { type ProgressBar } from './report/progress-bar';
import { bucketManifests, bucketTasks } from './sources/archive-bucket';
import { ArchiveFolder, type ArchivedManifest } from './sources/archive-folder';
import { EventRows } from './sources/event-rows';
import { eventTasks } from './sources/event-tasks';
import { exportSize, exportTasks, openExport, registryLines } from './sources/export-file';
import { readTrustRoot } from './trust-root';
import { ChainVerdict } from './verdict/chain-verdict';
import { SpillingIdentityCheck } from './verdict/identity/spilling-identity-check';
import { acceptAll, eachInspected } from './verdict/inspected/accept-all';

interface Run {
  arguments: Arguments;
  trust: TrustRoot;
  pool: WorkerPool;
  folder: TemporaryFolder;
  verdict: ChainVerdict;
  progress: ProgressBar;
}

/**
 * Verifies a whole chain: worker threads read events and check each by itself, this thread checks what lies between them.
 * @param program the file that worker threads run: this program
 */
export async function verifyChain(
  args: Arguments,
  program: string,
  progress: ProgressBar,
): Promise<ChainReport> {
  const { source, jobs } = args;
  const trust = readTrustRoot(args);
  const verdict = new ChainVerdict(trust, args, {
    // The store knows all signer events; a file or folder that is verified in part may hold that part alone.
    whole: source.kind === 'database',
    // Rows and files are sorted: a position that is missing there will not come later.
    lateArrivals: source.kind === 'export',
  });
  const folder = new TemporaryFolder();
  const pool = new WorkerPool(program, jobs, verdict.setup());
  try {
    return await report({ arguments: args, trust, pool, folder, verdict, progress });
  } finally {
    await pool.close();
    folder.remove();
    progress.clear();
  }
}

async function report(run: Run): Promise<ChainReport> {
  const { source } = run.arguments;
  switch (source.kind) {
    case 'export':
      return verifyExport(run, source.path);
    case 'dir': {
      const folder = await ArchiveFolder.open(source.path);
      return verifyArchive(run, folder.tasks(), folder.manifests());
    }
    case 's3':
      return verifyArchive(run, bucketTasks(source.location), bucketManifests(source.location));
    case 'database':
      return verifyDatabase(run, source.url);
  }
}

async function verifyExport(run: Run, path: string): Promise<ChainReport> {
  const { verdict, progress } = run;
  const file = await openExport(path, run.folder);
  const size = exportSize(file);
  progress.total = size;
  verdict.begin(verdict.foldBeforehand(registryLines(file)), identityCheck(run));
  let lines = 0;
  for await (const result of run.pool.run(exportTasks(file, size))) {
    acceptAll(verdict, result, lines);
    lines += result.items;
    progress.advance(result.bytes, verdict.count);
  }
  return verdict.conclude();
}

async function verifyDatabase(run: Run, url: string): Promise<ChainReport> {
  const { verdict, progress } = run;
  const rows = new EventRows(url);
  try {
    const { shard, from, chainOnly } = run.arguments;
    const heads = (await rows.heads()).filter((head) => shard === null || head.shard === shard);
    const keys = verdict.foldBeforehand(chainOnly ? [] : await rows.registry());
    progress.total = heads.reduce((sum, { last }) => sum + Math.max(0, last - from + 1), 0);
    // The store keeps its own account of every head: the events that it counts must be there.
    const known = heads.flatMap(({ shard: of, head }) => (head === null ? [] : { shard: of, ...head }));
    verdict.begin(
      keys,
      identityCheck(run),
      known.filter(({ seq }) => seq >= from),
    );
    for await (const result of run.pool.run(eventTasks(rows, url, heads, from))) {
      acceptAll(verdict, result, 0);
      progress.advance(result.items, verdict.count);
    }
    return verdict.conclude();
  } finally {
    await rows.close();
  }
}

async function verifyArchive(
  run: Run,
  tasks: AsyncIterable<Task>,
  archived: AsyncIterable<ArchivedManifest>,
): Promise<ChainReport> {
  const { verdict } = run;
  const sorted = new SortedRecords(run.folder);
  const registry: AuditEvent[] = [];
  let items = 0;
  for await (const result of run.pool.run(tasks)) {
    eachInspected(result, 0, (facts, faults, formatted, leaf, where) => {
      if (facts === null) verdict.faults.add(faults);
      else sorted.add({ facts, faults, formatted, where, ...(leaf === null ? {} : { leaf }) });
    });
    registry.push(...result.registry);
    items += result.items;
    run.progress.advance(result.items, items);
  }
  const { shard, from, chainOnly } = run.arguments;
  const ring = verdict.foldRegistry(registry);
  const signers = ring?.signers() ?? [];
  const { origin } = run.trust;
  const days = new DayManifestCheck({ origin, signers, signatures: !chainOnly, shard, from });
  for await (const { key, bytes } of archived) verdict.faults.add(days.add(key, bytes));
  verdict.faults.add(days.checkLinks());
  verdict.begin(ring, identityCheck(run));
  for (const { facts, faults, formatted, leaf = null } of sorted.read()) {
    verdict.accept(facts, faults, formatted, leaf);
    if (formatted) verdict.faults.add(days.event(facts));
  }
  verdict.faults.add(days.finish());
  const manifests = { count: days.count, signatures: days.signed };
  return { ...verdict.conclude(days.anchors()), manifests };
}

function identityCheck({ folder, arguments: { from } }: Run): SpillingIdentityCheck {
  return new SpillingIdentityCheck((size) => new SpillPartitions(folder, size), from === 1);
}
