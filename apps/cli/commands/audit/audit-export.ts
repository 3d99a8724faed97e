import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command } from 'commander';
import { syncFolder } from '#platform/process';
import { connectionFrom, type ConnectionOptions, withConnectionOptions } from '../../api/connection';
import { eventLines } from '../../api/event-lines';
import { KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { print, printStream, say } from '../../output/print';

interface ExportOptions extends ConnectionOptions {
  shard?: string;
  from?: string;
  to?: string;
  out?: string;
  dir?: string;
  json?: true;
}

export function addAuditExport(audit: Command): void {
  withConnectionOptions(audit.command('export'))
    .description(
      [
        'Exports the chain as canonical events: one per line (standard output, or --out), or one file each in the',
        "archive's layout audit/YYYY/MM/DD/<id>.json (--dir). Nothing that exists is ever overwritten.",
      ].join(' '),
    )
    .option('--shard <n>', 'only this shard (default: all)')
    .option('--from <seq>', 'first position')
    .option('--to <seq>', 'last position')
    .option('--out <file>', 'write NDJSON there')
    .option('--dir <dir>', 'write one file per event below this folder')
    .option('--json', 'print as JSON what was written; without --out and --dir the export is JSON itself')
    .action(async (options: ExportOptions) => {
      await exportChain(options);
    });
}

async function exportChain(options: ExportOptions): Promise<void> {
  if (options.out !== undefined && options.dir !== undefined) {
    throw new CliError('wrong_usage', '--out and --dir cannot be used together.');
  }
  const client = new KernelApiClient(await connectionFrom(options));
  try {
    const shards =
      options.shard === undefined ? await allShards(client) : [wholeNumber('--shard', options.shard)];
    const query = {
      ...(options.from === undefined ? {} : { fromSeq: wholeNumber('--from', options.from) }),
      ...(options.to === undefined ? {} : { toSeq: wholeNumber('--to', options.to) }),
    };
    if (options.dir !== undefined) {
      const { written, present } = await toFolder(client, shards, query, options.dir);
      say(`${written} events written to ${resolve(options.dir)}, ${present} were there already`);
      if (options.json === true) print(JSON.stringify({ dir: resolve(options.dir), written, present }));
    } else if (options.out !== undefined) {
      await toFile(client, shards, query, options.out);
      say(`exported to ${resolve(options.out)}`);
      if (options.json === true) print(JSON.stringify({ out: resolve(options.out) }));
    } else {
      for (const shard of shards) {
        await printStream(await events(client, shard, query));
      }
    }
  } finally {
    await client.close();
  }
}

type Range = Readonly<Record<string, number>>;

async function allShards(client: KernelApiClient): Promise<number[]> {
  const heads = await client.getJson<{ shard: number }[]>('/kernel/audit/head');
  return heads.map(({ shard }) => shard).sort((a, b) => a - b);
}

function events(client: KernelApiClient, shard: number, range: Range): Promise<Readable> {
  const query = new URLSearchParams({ shard: String(shard) });
  for (const [name, value] of Object.entries(range)) query.set(name, String(value));
  return client.stream(`/kernel/audit/export?${query.toString()}`);
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new CliError('wrong_usage', `${option} takes a whole number, not "${text}".`);
  }
  return value;
}

/** The file appears when it is complete and on disk, and replaces nothing. */
async function toFile(client: KernelApiClient, shards: number[], range: Range, out: string): Promise<void> {
  const target = resolve(out);
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  try {
    for (const shard of shards) {
      await pipeline(
        await events(client, shard, range),
        createWriteStream(partial, { flags: 'a', flush: true }),
      );
    }
    await place(partial, target);
  } catch (error) {
    throw fileProblem(error, target);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Members that say where an event belongs (docs/spec, section 2), checked because they become a path. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TIME = /^(\d{4})-(\d{2})-(\d{2})T[\d:.]+Z$/;

async function toFolder(
  client: KernelApiClient,
  shards: number[],
  range: Range,
  dir: string,
): Promise<{ written: number; present: number }> {
  const base = resolve(dir);
  const folders = new Set<string>();
  let written = 0;
  let present = 0;
  for (const shard of shards) {
    for await (const line of eventLines(await events(client, shard, range))) {
      const { id, ts } = JSON.parse(line.toString()) as { id: string; ts: string };
      const date = TIME.exec(ts);
      if (!ID.test(id) || date === null) {
        throw new CliError('failed', `The kernel sent an event with the id "${id}" and the time "${ts}".`);
      }
      const folder = join(base, 'audit', date[1] ?? '', date[2] ?? '', date[3] ?? '');
      try {
        if (!folders.has(folder)) await mkdir(folder, { recursive: true });
        folders.add(folder);
        if (await writeOnce(join(folder, `${id}.json`), line)) written += 1;
        else present += 1;
      } catch (error) {
        throw fileProblem(error, folder);
      }
    }
  }
  // A new name is on disk when its folder is.
  for (const folder of folders) await syncFolder(folder);
  return { written, present };
}

/** @returns false when the same bytes exist already */
async function writeOnce(file: string, bytes: Buffer): Promise<boolean> {
  if (existsSync(file)) {
    if (bytes.equals(await readFile(file))) return false;
    throw different(file);
  }
  const partial = `${file}.${randomBytes(4).toString('hex')}.partial`;
  try {
    const handle = await open(partial, 'wx', 0o444);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
  return true;
}

async function place(partial: string, target: string): Promise<void> {
  try {
    await link(partial, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!(await sameContent(partial, target))) throw different(target);
  }
  await syncFolder(dirname(target));
}

async function sameContent(a: string, b: string): Promise<boolean> {
  if ((await stat(a)).size !== (await stat(b)).size) return false;
  const other = createReadStream(b)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for await (const chunk of createReadStream(a) as AsyncIterable<Buffer>) {
    // Same size and same chunk size, so the chunks fall at the same places.
    const next = await other.next();
    if (next.done === true || !chunk.equals(next.value)) return false;
  }
  return true;
}

function different(file: string): CliError {
  return new CliError(
    'file_problem',
    `${file} exists and holds something else; evidence is never overwritten, choose another place.`,
  );
}

function fileProblem(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof CliError || code === undefined || !/^E[A-Z]+$/.test(code)) return error;
  return new CliError('file_problem', `Cannot write to ${path} (${code}).`, {}, { cause: error });
}
