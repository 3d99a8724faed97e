import { Client } from 'pg';
import { kafkaTestsMissing, s3Missing, startStack, type TestStack } from '#dev/testing';
import { type BenchConfig, loadBenchConfig } from './bench.config';
import { type BenchOptions, type BenchResult } from './bench-result';
import { operatorOf, round, warmUp } from './bench-stack';
import { loadOn, type LoadReport, putLoad } from './load/load';
import { type Workload } from './load/workload';
import { EmptyHandler, measureLimits } from './machine/limits';
import { OPENBAO } from './peers/openbao';
import { type Peer, type RunningPeer } from './peers/peer';
import { TESSERA } from './peers/tessera';
import { StackUsage } from './stack/stack-usage';

const CONCURRENCY = [1, 16, 50, 200];
const BATCH = 100;
/** More would only wait: a batch is a group by itself. */
const MOST_BATCHES = 16;
const LIMIT_MS = 2_000;

const PEERS: Readonly<Record<string, Peer>> = { openbao: OPENBAO, tessera: TESSERA };

interface Cell {
  what: string;
  workload: Workload;
  /** Events that an answer stands for. */
  events: number;
  mostConcurrent: number;
  /** The peer that does what comes nearest to it. */
  peer: Peer;
}

const CELLS: readonly Cell[] = [
  { what: 'sign', workload: { kind: 'sign' }, events: 1, mostConcurrent: Infinity, peer: OPENBAO },
  {
    what: 'audit',
    workload: { kind: 'audit', events: 1 },
    events: 1,
    mostConcurrent: Infinity,
    peer: TESSERA,
  },
  {
    what: `audit x ${BATCH}`,
    workload: { kind: 'audit', events: BATCH },
    events: BATCH,
    mostConcurrent: MOST_BATCHES,
    peer: TESSERA,
  },
];

/** All processes that `./kernel up` starts, under load until index, archive and log have every event. */
export async function run(options: BenchOptions): Promise<BenchResult> {
  const config = loadBenchConfig();
  const peers = options.peers.map((name) => {
    const peer = PEERS[name];
    if (peer === undefined) {
      throw new Error(`there is no peer "${name}"; there are: ${Object.keys(PEERS).join(', ')}`);
    }
    return peer;
  });
  const result: BenchResult = {
    name: `stack: every process, ${options.kernels} kernel(s), ${options.shards} shard(s)${options.affinity ? ', each kernel with shards of its own' : ''}`,
    rows: [],
    notes: [
      'events/s: acknowledged by the kernel; ms of a request. CPU us an event, warm-up and the way to index, archive and log included:',
      'all (load generator excepted), then by process. lag: s from the last answer until relay, index, archive and log had the last event.',
      "WAL: bytes of PostgreSQL's log an event; flush, sigs, groups: flushes of that log, signatures of the proxy and committed groups for 100 events;",
      'again: groups numbered again, mostly because another kernel was first, for 100 that were committed.',
      'Load generator, all processes and the servers of others share the cores.',
    ],
  };
  const running: [Peer, RunningPeer][] = [];
  try {
    for (const peer of peers) {
      const missing = peer.missing();
      if (missing === null) running.push([peer, await peer.start()]);
      else result.notes.push(`${peer.name} was not measured: ${missing}`);
    }
    const beside = new Map(running);
    for (const parts of config.benchPipelineParts) {
      const missing = parts === 'kafka+s3' ? (kafkaTestsMissing() ?? s3Missing()) : null;
      if (missing === null) await measure(result, { parts, config, options, beside });
      else result.notes.push(`kafka and s3 were not measured: ${missing}`);
    }
  } finally {
    for (const [, peer] of running) await peer.stop();
  }
  return result;
}

interface Measurement {
  parts: BenchConfig['benchPipelineParts'][number];
  config: BenchConfig;
  options: BenchOptions;
  beside: ReadonlyMap<Peer, RunningPeer>;
}

async function measure(
  { rows, notes }: BenchResult,
  { parts, config, options, beside }: Measurement,
): Promise<void> {
  const kafka = parts === 'kafka+s3';
  const stack = await startStack({
    workers: ['outbox-relay', 'indexer', 'archiver', 'log-publisher'],
    stream: kafka ? 'kafka' : 'postgres',
    archive: kafka ? 's3' : 'fs',
    kernels: options.kernels,
    shards: options.shards,
    signer: config.benchSigners[0] ?? 'software',
    logLevel: 'info',
    postgresSettings: { shared_buffers: '256MB' },
  });
  const database = new Client({ connectionString: stack.postgres.superuserUrl });
  await database.connect();
  const target = operatorOf(stack);
  const measureMs = config.benchSeconds * 1_000;
  try {
    notes.push(await limitsOf(stack, parts));
    await warmUp(target, { kind: 'sign' });
    const usage = new StackUsage(stack, database);
    for (const cell of CELLS) {
      for (const concurrency of (config.benchConcurrency ?? CONCURRENCY).filter(
        (callers) => callers <= cell.mostConcurrent,
      )) {
        await usage.settled();
        const before = await usage.now();
        const load = await loadOn(target, {
          concurrency,
          warmUpMs: measureMs / 3,
          measureMs,
          workload: cell.workload,
          shards: options.shards,
          affinity: options.affinity,
        });
        const lag = await usage.settled();
        const used = StackUsage.between(before, await usage.now(), load.sent * cell.events);
        if (load.firstError !== undefined) notes.push(`${cell.what} at ${concurrency}: ${load.firstError}`);
        rows.push({
          parts,
          what: cell.what,
          callers: concurrency,
          ...ratesOf(load, cell.events),
          'CPU us': used.cpu.all,
          lag: round(lag / 1_000, 1),
          WAL: used.walBytes,
          flush: used.flushes ?? '-',
          sigs: used.signatures,
          groups: used.groups,
          again: used.again,
          by: Object.entries(used.cpu.by)
            .map(([name, us]) => `${name} ${us}`)
            .join(', '),
        });
        const peer = beside.get(cell.peer);
        if (peer === undefined || cell.events > 1) continue;
        const other = await putLoad({
          url: peer.url,
          tls: peer.tls,
          concurrency,
          warmUpMs: measureMs / 3,
          measureMs,
          workload: peer.workload,
        });
        if (other.firstError !== undefined) notes.push(`${cell.peer.name}: ${other.firstError}`);
        rows.push({ parts: cell.peer.name, what: cell.what, callers: concurrency, ...ratesOf(other, 1) });
      }
    }
  } finally {
    await database.end();
    await stack.stop();
  }
}

function ratesOf(load: LoadReport, events: number): Record<string, number> {
  return {
    'events/s': Math.round(load.perSecond * events),
    p50: round(load.p50),
    p95: round(load.p95),
    p99: round(load.p99),
    errors: load.errors,
  };
}

/** What one caller could have at best on this machine: a bare request and a bare flushed commit. */
async function limitsOf(stack: TestStack, parts: string): Promise<string> {
  const { commits, ed25519 } = await measureLimits(stack.postgres, LIMIT_MS);
  const { caCert, callers, kernelServer } = stack.identities;
  const empty = await EmptyHandler.start({ caCert, server: kernelServer, caller: callers.OPERATOR });
  try {
    const { p50 } = await empty.measure(1, LIMIT_MS);
    return `${parts}: a bare flushed commit takes ${round(1_000 / commits, 2)} ms, a bare mTLS request ${round(p50, 2)} ms; node:crypto makes ${Math.round(ed25519)} Ed25519 signatures/s.`;
  } finally {
    empty.stop();
  }
}
