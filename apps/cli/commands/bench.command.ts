import { readdir, writeFile } from 'node:fs/promises';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { programFolder } from '#dev/devstack';
import { MAX_SHARDS } from '#evidence';
import { CliError } from '../cli.error';
import { print, say, table } from '../output/print';

/** Result of a file test/bench/<name>.bench.ts. */
interface BenchResult {
  name: string;
  rows: Record<string, string | number>[];
  notes: string[];
}

interface Options {
  json?: string;
  list?: true;
  peer: string[];
  kernels: number;
  shards: number;
  affinity?: true;
}

const ENDING = '.bench.js';
const MOST_KERNELS = 8;

export function addBench(program: Command): void {
  program
    .command('bench')
    .summary('run the benchmarks')
    .description('Runs all benchmarks, or the ones named, each against a stack of its own on this machine.')
    .argument('[names...]', 'which ones (see --list)')
    .option('--json <file>', 'write the figures there as well')
    .option('--list', 'only list their names')
    .option('--peer <name>', 'stack: measure openbao or tessera in turn (may be repeated)', collect, [])
    .option('--kernels <n>', 'stack: kernel processes on the one database', upTo(MOST_KERNELS), 1)
    .option('--shards <n>', 'stack: shards of the chain', upTo(MAX_SHARDS), 1)
    .option('--affinity', 'stack: each kernel is asked to write to shards of its own only')
    .action(async (names: string[], options: Options) => {
      await bench(names, options);
    });
}

function collect(name: string, before: string[]): string[] {
  return [...before, name];
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`It is a number from 1 to ${most}.`);
  };
}

async function bench(names: readonly string[], options: Options): Promise<void> {
  const folder = join(programFolder(), 'test', 'bench');
  const known = await benchmarksIn(folder);
  if (options.list === true) {
    print(known.join('\n'));
    return;
  }
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new CliError(
      'wrong_usage',
      `There is no benchmark "${unknown.join('", "')}"; there are: ${known.join(', ')}.`,
    );
  }
  if (known.length === 0) throw new CliError('failed', 'There are no benchmarks in test/bench.');
  const results: BenchResult[] = [];
  for (const name of names.length === 0 ? known : names) {
    say(`benchmark ${name}`);
    const benchmark = (await import(join(folder, `${name}${ENDING}`))) as {
      run(options: {
        peers: readonly string[];
        kernels: number;
        shards: number;
        affinity: boolean;
      }): Promise<BenchResult>;
    };
    const result = await benchmark.run({
      peers: options.peer,
      kernels: options.kernels,
      shards: options.shards,
      affinity: options.affinity === true,
    });
    results.push(result);
    print(`\n${result.name}\n\n${table(result.rows)}\n`);
    for (const note of result.notes) print(`  ${note}`);
  }
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify({ machine: machine(), results }, null, 2)}\n`);
    say(`figures written to ${resolve(options.json)}`);
  }
}

async function benchmarksIn(folder: string): Promise<string[]> {
  try {
    const files = await readdir(folder);
    return files
      .filter((file) => file.endsWith(ENDING))
      .map((file) => file.slice(0, -ENDING.length))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Figures mean nothing without the machine that they were measured on. */
function machine(): Record<string, string | number> {
  const processors = cpus();
  return {
    time: new Date().toISOString(),
    node: process.version,
    platform: `${platform()} ${release()} ${arch()}`,
    cores: processors.length,
    processor: processors[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}
