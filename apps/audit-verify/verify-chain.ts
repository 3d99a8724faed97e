import {
  ChainVerifier,
  checkedKeyOfPem,
  EventInspector,
  EvidenceError,
  KeyRing,
  NO_KEYS,
  type AuditEvent,
  type ChainFault,
  type EventFacts,
  type ExpectedHead,
  type KeyRegistryState,
} from '#evidence';
import { type Arguments } from './arguments';
import { DayManifestCheck } from './check/day-manifests';
import { FactsReader } from './check/pack-facts';
import { SortedRecords } from './check/sorted-records';
import { SpillingIdentityCheck } from './check/spilling-identity-check';
import { type Task, type TaskResult, type WorkerSetup } from './check/tasks';
import { TemporaryFolder } from './check/temporary-folder';
import { WorkerPool } from './check/worker-pool';
import { FaultList, type ChainReport } from './report/chain-report';
import { type ProgressBar } from './report/progress-bar';
import { bucketManifests, bucketTasks } from './sources/archive-bucket';
import { ArchiveFolder, type ArchivedManifest } from './sources/archive-folder';
import { EventRows } from './sources/event-rows';
import { eventTasks } from './sources/event-tasks';
import { exportSize, exportTasks, openExport, registryLines } from './sources/export-file';
import { readTrustRoot, type TrustRoot } from './trust-root';

interface Run {
  arguments: Arguments;
  trust: TrustRoot;
  pool: WorkerPool;
  folder: TemporaryFolder;
  faults: FaultList;
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
  const trust = readTrustRoot(args);
  const folder = new TemporaryFolder();
  const setup: WorkerSetup = {
    origin: trust.origin,
    keys: trust.signers.map(({ signer_kid, public_key_pem }) => [
      signer_kid,
      checkedKeyOfPem(public_key_pem),
    ]),
    checkSignatures: !args.chainOnly,
    shard: args.shard,
    from: args.from,
  };
  const pool = new WorkerPool(program, args.jobs, setup);
  try {
    return await report({ arguments: args, trust, pool, folder, faults: new FaultList(), progress });
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
  const file = await openExport(path, run.folder);
  const size = exportSize(file);
  run.progress.total = size;
  const registry = run.arguments.chainOnly
    ? NO_KEYS
    : foldRegistry(run, readRegistry(run, registryLines(file)));
  const verifier = createVerifier(run, registry);
  let lines = 0;
  for await (const result of run.pool.run(exportTasks(file, size))) {
    acceptAll(run, verifier, result, lines);
    lines += result.items;
    run.progress.advance(result.bytes, verifier.count);
  }
  return conclude(run, verifier);
}

async function verifyDatabase(run: Run, url: string): Promise<ChainReport> {
  const rows = new EventRows(url);
  try {
    const { shard, from, chainOnly } = run.arguments;
    const heads = (await rows.heads()).filter((head) => shard === null || head.shard === shard);
    const registry = chainOnly ? NO_KEYS : foldRegistry(run, readRegistry(run, await rows.registry()));
    run.progress.total = heads.reduce((sum, { last }) => sum + Math.max(0, last - from + 1), 0);
    // The store keeps its own account of every head: the events that it counts must be there.
    const known = heads.flatMap(({ shard: of, head }) => (head === null ? [] : { shard: of, ...head }));
    const verifier = createVerifier(
      run,
      registry,
      known.filter(({ seq }) => seq >= from),
    );
    for await (const result of run.pool.run(eventTasks(rows, url, heads, from))) {
      acceptAll(run, verifier, result, 0);
      run.progress.advance(result.items, verifier.count);
    }
    return conclude(run, verifier);
  } finally {
    await rows.close();
  }
}

async function verifyArchive(
  run: Run,
  tasks: AsyncIterable<Task>,
  manifests: AsyncIterable<ArchivedManifest>,
): Promise<ChainReport> {
  const sorted = new SortedRecords(run.folder);
  const registry: AuditEvent[] = [];
  let items = 0;
  for await (const result of run.pool.run(tasks)) {
    eachInspected(result, 0, (facts, faults, formatted, where) => {
      if (facts === null) run.faults.add(faults);
      else sorted.add({ facts, faults, formatted, where });
    });
    registry.push(...result.registry);
    items += result.items;
    run.progress.advance(result.items, items);
  }
  const { shard, from, chainOnly } = run.arguments;
  const days = new DayManifestCheck({ ...run.trust, signatures: !chainOnly, shard, from });
  for await (const { key, bytes } of manifests) run.faults.add(days.add(key, bytes));
  run.faults.add(days.checkLinks());
  const verifier = createVerifier(run, chainOnly ? NO_KEYS : foldRegistry(run, registry));
  for (const { facts, faults, formatted } of sorted.read()) {
    run.faults.add(verifier.acceptFacts(facts, faults, formatted));
    if (formatted) run.faults.add(days.event(facts));
  }
  run.faults.add(days.finish());
  return { ...conclude(run, verifier), manifests: { count: days.count, signatures: days.signed } };
}

function createVerifier(
  { arguments: args, trust, folder }: Run,
  registry: KeyRegistryState,
  stored: ExpectedHead[] = [],
): ChainVerifier {
  return new ChainVerifier({
    ...trust,
    // Rows and files are sorted: a position that is missing there will not come later.
    lateArrivals: args.source.kind === 'export',
    from: args.from,
    signatures: !args.chainOnly,
    registry,
    partial: isPartial(args),
    identity: new SpillingIdentityCheck(folder, args.from === 1),
    expectedHeads: [...args.expectedHeads, ...stored],
  });
}

function acceptAll(run: Run, verifier: ChainVerifier, result: TaskResult, linesBefore: number): void {
  eachInspected(result, linesBefore, (facts, faults, formatted) => {
    const found = facts === null ? faults : verifier.acceptFacts(facts, faults, formatted);
    if (found.length > 0) run.faults.add(found);
  });
}

type TakeInspected = (
  facts: EventFacts | null,
  faults: readonly ChainFault[],
  formatted: boolean,
  where: string,
) => void;

/** Packed events and odd ones, in the order in which they were read. */
function eachInspected(
  { facts: packed, faults, odd }: TaskResult,
  linesBefore: number,
  take: TakeInspected,
): void {
  const reader = new FactsReader(packed);
  const faultsAt = new Map(faults);
  let next = 0;
  for (let i = 0; i <= packed.count; i++) {
    for (let o = odd[next]; o !== undefined && o.before === i; o = odd[++next]) {
      const where = typeof o.where === 'number' ? `line ${linesBefore + o.where + 1}` : o.where;
      const located = o.faults.map((fault) => ({ ...fault, message: `${where}: ${fault.message}` }));
      take(o.facts, located, false, where);
    }
    if (i === packed.count) return;
    const facts = reader.at(i);
    take(facts, faultsAt.get(i) ?? NO_FAULTS, true, facts.id);
  }
}

const NO_FAULTS: readonly ChainFault[] = [];

/** The events among `candidates` that are sound and speak for the registry; what is wrong with others shows later. */
function readRegistry({ trust }: Run, candidates: Iterable<Uint8Array>): AuditEvent[] {
  const keys = new Map(trust.signers.map(({ signer_kid, public_key_pem }) => [signer_kid, public_key_pem]));
  const inspector = new EventInspector(
    trust.origin,
    (kid) => {
      const pem = keys.get(kid);
      return pem === undefined ? undefined : checkedKeyOfPem(pem);
    },
    true,
  );
  const events: AuditEvent[] = [];
  for (const bytes of candidates) {
    const { event, faults } = inspector.inspect(bytes);
    if (event !== null && faults.length === 0) events.push(event);
  }
  return events;
}

/** The registry that the chain's own events make; events by keys outside the trust root have no say. */
function foldRegistry({ trust, faults, arguments: args }: Run, events: AuditEvent[]): KeyRegistryState {
  const ring = new KeyRing(trust.signers, { partial: isPartial(args) });
  const known = events
    .filter(({ signerKid }) => ring.root(signerKid) !== undefined)
    .sort((a, b) => (a.ts === b.ts ? a.shard - b.shard || a.seq - b.seq : a.ts < b.ts ? -1 : 1));
  for (const event of known) {
    try {
      ring.apply(event);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      const { shard, seq, id } = event;
      if (seq < args.from || (args.shard !== null && args.shard !== shard)) continue;
      const message = `${error.message} (at ${error.pointer ?? '/payload'})`;
      faults.add([{ code: 'format', shard, seq, id, message }]);
    }
  }
  return ring.registry;
}

/** The store knows all signer events; a file or folder that is verified in part may hold that part alone. */
function isPartial({ source, from, shard }: Arguments): boolean {
  return source.kind !== 'database' && (from > 1 || shard !== null);
}

function conclude({ arguments: args, trust, faults }: Run, verifier: ChainVerifier): ChainReport {
  faults.add(verifier.finish());
  if (verifier.count === 0 && faults.count === 0) faults.add([nothingToVerify(args)]);
  return {
    verified: faults.count === 0,
    origin: trust.origin,
    signatures: !args.chainOnly,
    events: verifier.count,
    faults: faults.sorted(),
    faultCount: faults.count,
    reattested: verifier.reattested(),
    heads: verifier.heads(),
  };
}

/** An empty chain proves nothing: anyone who removed everything must not get a good verdict. */
function nothingToVerify({ shard, from }: Arguments): ChainFault {
  const where = shard === null ? '' : ` of shard ${shard}`;
  const since = from === 1 ? '' : ` from position ${from} on`;
  return { code: 'truncation', shard, seq: null, id: null, message: `there is no event${where}${since}` };
}
