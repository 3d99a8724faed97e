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
  type Founding,
  type KeyRegistryState,
  type ShardHead,
  sha256Hex,
  type TrustRoot,
} from '#evidence';
import { type Arguments } from './arguments';
import { CheckpointCheck } from './check/checkpoints';
import { DayManifestCheck } from './check/day-manifests';
import { FactsReader } from './check/pack-facts';
import { SortedRecords } from './check/sorted-records';
import { SpillingIdentityCheck } from './check/spilling-identity-check';
import { type Task, type TaskResult, type WorkerSetup } from './check/tasks';
import { TemporaryFolder } from './check/temporary-folder';
import { WorkerPool } from './check/worker-pool';
import { FaultList, type ChainReport, type ReportedKey, type UnanchoredEnd } from './report/chain-report';
import { type ProgressBar } from './report/progress-bar';
import { bucketManifests, bucketTasks } from './sources/archive-bucket';
import { ArchiveFolder, type ArchivedManifest } from './sources/archive-folder';
import { EventRows } from './sources/event-rows';
import { eventTasks } from './sources/event-tasks';
import { exportSize, exportTasks, openExport, registryLines } from './sources/export-file';
import { readTrustRoot } from './trust-root';

interface Run {
  arguments: Arguments;
  trust: TrustRoot;
  pool: WorkerPool;
  folder: TemporaryFolder;
  faults: FaultList;
  checkpoints: CheckpointCheck;
  progress: ProgressBar;
  /** The registry events that were read beforehand, by hash; null: they were not, or with all others. */
  registered: Set<string> | null;
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
  const { checkpoints: files, policy, shard } = args;
  const checkpoints = new CheckpointCheck({ files, trust, policy, shard });
  const folder = new TemporaryFolder();
  const setup: WorkerSetup = {
    origin: trust.origin,
    keys: trust.signers.map(({ signer_kid, public_key_pem }) => [
      signer_kid,
      checkedKeyOfPem(public_key_pem),
    ]),
    checkSignatures: !args.chainOnly,
    shard,
    leaves: checkpoints.needed(),
    from: args.from,
  };
  const pool = new WorkerPool(program, args.jobs, setup);
  try {
    const faults = new FaultList();
    return await report({
      arguments: args,
      trust,
      pool,
      folder,
      faults,
      checkpoints,
      progress,
      registered: null,
    });
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
  const verifier = createVerifier(run, foldBeforehand(run, registryLines(file)));
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
    const registry = foldBeforehand(run, chainOnly ? [] : await rows.registry());
    run.progress.total = heads.reduce((sum, { last }) => sum + Math.max(0, last - from + 1), 0);
    // The store keeps its own account of every head: the events that it counts must be there.
    const known = heads.flatMap(({ shard: of, head }) => (head === null ? [] : { shard: of, ...head }));
    const stored = known.filter(({ seq }) => seq >= from);
    const verifier = createVerifier(run, registry, stored);
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
  archived: AsyncIterable<ArchivedManifest>,
): Promise<ChainReport> {
  const sorted = new SortedRecords(run.folder);
  const registry: AuditEvent[] = [];
  let items = 0;
  for await (const result of run.pool.run(tasks)) {
    eachInspected(result, 0, (facts, faults, formatted, where, leaf) => {
      if (facts === null) run.faults.add(faults);
      else sorted.add({ facts, faults, formatted, where, ...(leaf === null ? {} : { leaf }) });
    });
    registry.push(...result.registry);
    items += result.items;
    run.progress.advance(result.items, items);
  }
  const { shard, from, chainOnly } = run.arguments;
  const ring = chainOnly ? null : foldRegistry(run, registry);
  const signers = ring?.signers() ?? [];
  const { origin } = run.trust;
  const days = new DayManifestCheck({ origin, signers, signatures: !chainOnly, shard, from });
  for await (const { key, bytes } of archived) run.faults.add(days.add(key, bytes));
  run.faults.add(days.checkLinks());
  const verifier = createVerifier(run, ring);
  for (const { facts, faults, formatted, leaf = null } of sorted.read()) {
    run.faults.add(verifier.acceptFacts(facts, faults, formatted));
    run.faults.add(run.checkpoints.event(facts, leaf));
    if (formatted) run.faults.add(days.event(facts));
  }
  run.faults.add(days.finish());
  const manifests = { count: days.count, signatures: days.signed };
  return { ...conclude(run, verifier, days.anchors()), manifests };
}

/** @param ring the keys by the whole registry; null: only the chain is checked */
function createVerifier(
  { arguments: args, trust, folder, checkpoints, faults }: Run,
  ring: KeyRing | null,
  storedHeads: ExpectedHead[] = [],
): ChainVerifier {
  if (ring !== null) faults.add(checkpoints.judge(ring.signers()));
  return new ChainVerifier({
    ...trust,
    // Rows and files are sorted: a position that is missing there will not come later.
    lateArrivals: args.source.kind === 'export',
    from: args.from,
    shard: args.shard,
    signatures: !args.chainOnly,
    registry: ring?.registry ?? NO_KEYS,
    checkpoints: checkpoints.proven(),
    partial: isPartial(args),
    identity: new SpillingIdentityCheck(folder, args.from === 1),
    expectedHeads: args.expectedHeads,
    storedHeads,
  });
}

function acceptAll(run: Run, verifier: ChainVerifier, result: TaskResult, linesBefore: number): void {
  eachInspected(result, linesBefore, (facts, faults, formatted, _where, leaf) => {
    const found = facts === null ? faults : verifier.acceptFacts(facts, faults, formatted);
    if (found.length > 0) run.faults.add(found);
    if (facts !== null) run.faults.add(run.checkpoints.event(facts, leaf));
  });
  run.faults.add(hiddenFrom(run, result.registry));
}

/** Registry events that were not among those read beforehand: whoever hid them wants keys to be judged without. */
function hiddenFrom({ registered, arguments: args }: Run, events: readonly AuditEvent[]): ChainFault[] {
  if (registered === null) return [];
  const hidden = events.filter(({ hash, seq }) => seq >= args.from && !registered.has(hash));
  const message = 'it speaks for the key registry, but the columns of its row do not say so';
  return hidden.map(({ shard, seq, id }) => ({ code: 'format', shard, seq, id, message }));
}

type TakeInspected = (
  facts: EventFacts | null,
  faults: readonly ChainFault[],
  formatted: boolean,
  where: string,
  /** Leaf hash of the log in hex, where it is wanted and the format is right. */
  leaf: string | null,
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
      take(o.facts, located, false, where, null);
    }
    if (i === packed.count) return;
    const facts = reader.at(i);
    take(facts, faultsAt.get(i) ?? NO_FAULTS, true, facts.id, reader.leafAt(i));
  }
}

const NO_FAULTS: readonly ChainFault[] = [];

/** The keys by events that are read before all others, so that each use of a key can be judged at once. */
function foldBeforehand(run: Run, candidates: Iterable<Uint8Array>): KeyRing | null {
  if (run.arguments.chainOnly) return null;
  const events = readRegistry(run, candidates);
  run.registered = new Set(events.map(({ hash }) => hash));
  return foldRegistry(run, events);
}

/** The events among `candidates` that are sound and speak for the registry; what is wrong with others shows later. */
function readRegistry({ trust }: Run, candidates: Iterable<Uint8Array>): AuditEvent[] {
  const inspector = EventInspector.of(trust);
  const events: AuditEvent[] = [];
  for (const bytes of candidates) {
    const { event, faults } = inspector.inspect(bytes);
    if (event !== null && faults.length === 0) events.push(event);
  }
  return events;
}

/** The keys by the trust root and the chain's own events, in the order of shard 0. */
function foldRegistry({ trust, faults, arguments: args }: Run, events: AuditEvent[]): KeyRing {
  const ring = new KeyRing(trust, { partial: isPartial(args) });
  for (const event of events.sort((a, b) => a.seq - b.seq)) {
    try {
      ring.apply(event);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      const { shard, seq, id } = event;
      const code = error.code === 'invalid_founding' ? 'founding' : 'format';
      // Every key rests on the founding, whatever part of the chain is asked for.
      const asked = seq >= args.from && (args.shard === null || args.shard === shard);
      if (!asked && code !== 'founding') continue;
      faults.add([{ code, shard, seq, id, message: `${error.message} (at ${error.pointer ?? '/payload'})` }]);
    }
  }
  return ring;
}

/** The store knows all signer events; a file or folder that is verified in part may hold that part alone. */
function isPartial({ source, from, shard }: Arguments): boolean {
  return source.kind !== 'database' && (from > 1 || shard !== null);
}

function conclude(
  { arguments: args, trust, faults, checkpoints }: Run,
  verifier: ChainVerifier,
  days: ReadonlyMap<number, number> = new Map(),
): ChainReport {
  faults.add(verifier.finish());
  faults.add(checkpoints.finish());
  if (verifier.count === 0 && faults.count === 0) faults.add([nothingToVerify(args)]);
  const heads = verifier.heads();
  const agreed = checkpoints.agreed();
  const anchors = [verifier.anchors(), days, new Map(agreed.map(({ shard, size }) => [shard, size]))];
  const { founding } = verifier.registry;
  return {
    verified: faults.count === 0,
    origin: trust.origin,
    signatures: !args.chainOnly,
    events: verifier.count,
    faults: faults.sorted(),
    faultCount: faults.count,
    reattested: verifier.reattested(),
    heads,
    notChecked: notChecked(args, trust, founding, checkpoints.witnessed),
    unanchored: unanchored(args, heads, anchors, trust.shards ?? founding?.shards ?? 0),
    from: args.from,
    checkpoints: agreed,
    logged: verifier.logged(),
    keys: keysOf(trust, verifier.registry, args),
  };
}

/** What the verdict does not say, in sentences. */
function notChecked(
  args: Arguments,
  trust: TrustRoot,
  founding: Founding | null,
  witnessed: boolean,
): string[] {
  const { from, shard, chainOnly } = args;
  const sentences: string[] = [];
  if (chainOnly) sentences.push('signatures and keys (--chain-only)');
  if (from > 1) sentences.push(`the positions before ${from} (--from)`);
  if (shard !== null) sentences.push(`other shards than ${shard} (--shard)`);
  if (args.checkpoints.length > 0 && !witnessed) {
    const who = args.policy === null ? 'signers.json (log) asks for none' : 'the policy asks for none';
    sentences.push(`cosignatures of the checkpoints: ${who}`);
  }
  if (founding === null) return sentences;
  if (trust.shards === undefined) {
    sentences.push(
      `whether the kernel has ${founding.shards} shards, as event 0:1 says: signers.json does not say it (--shards)`,
    );
  }
  if (trust.firstPool === undefined) {
    const pool = founding.approverPool === null ? 'no approver pool' : founding.approverPool.sha256;
    sentences.push(
      `whether the kernel was founded with ${pool}, as event 0:1 says: signers.json does not say it (--first-pool)`,
    );
  }
  return sentences;
}

/** The keys with which the chain was judged, as trust root and chain know them together. */
function keysOf(trust: TrustRoot, registry: KeyRegistryState, { chainOnly }: Arguments): ReportedKey[] {
  if (chainOnly) return [];
  return new KeyRing(trust, { registry })
    .signers()
    .map(({ signer_kid: kid, purposes, status, span, ...key }) => ({
      kid,
      purposes,
      status,
      sha256: sha256Hex(checkedKeyOfPem(key.public_key_pem)),
      span: span ?? null,
    }));
}

/** The end of each shard that nothing outside the events vouches for. */
function unanchored(
  { shard: only, from }: Arguments,
  heads: readonly ShardHead[],
  anchors: readonly ReadonlyMap<number, number>[],
  shards: number,
): UnanchoredEnd[] {
  const ends = new Map(heads.map(({ shard, seq }) => [shard, seq]));
  for (let shard = 0; shard < shards; shard++) if (!ends.has(shard)) ends.set(shard, 0);
  return [...ends]
    .sort(([a], [b]) => a - b)
    .filter(([shard]) => only === null || shard === only)
    .flatMap(([shard, to]) => {
      const up = Math.max(-1, ...anchors.map((one) => one.get(shard) ?? -1));
      return up >= to ? [] : [{ shard, from: Math.max(up + 1, Math.min(from, to)), to }];
    });
}

/** An empty chain proves nothing: anyone who removed everything must not get a good verdict. */
function nothingToVerify({ shard, from }: Arguments): ChainFault {
  const where = shard === null ? '' : ` of shard ${shard}`;
  const since = from === 1 ? '' : ` from position ${from} on`;
  return { code: 'truncation', shard, seq: null, id: null, message: `there is no event${where}${since}` };
}
