import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command } from 'commander';
import {
  type ApproverPool,
  EvidenceError,
  jsonDiff,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
  readApproverPool,
} from '#evidence';
import { defineConfig, loadConfig, text } from '#platform/process';
import { type Approvers } from '#openapi/kernel';
import { CliError } from '../../cli.error';
import { print, say } from '../../output/print';
import { bytesOf, type CallOptions, get, reading } from '../api-calls';

const editors = defineConfig({
  VISUAL: { schema: text().optional(), description: 'The editor for `upgrade pool edit`.' },
  EDITOR: { schema: text().optional(), description: 'The editor where VISUAL is not set; default vi.' },
});

interface EditOptions extends CallOptions {
  rationale: string;
  id?: string;
  from?: string;
  out?: string;
}

/** `upgrade pool edit`: a proposal of a new approver pool, from the one in force. */
export function addPool(upgrade: Command): void {
  const pool = upgrade.command('pool').summary('make the proposal of a new approver pool');
  reading(pool.command('edit'))
    .description(
      [
        'Opens the pool in force in an editor (VISUAL, EDITOR, else vi), or takes the new one from a file, checks it, shows what',
        'it changes, and writes the upgrade that proposes it: for ./kernel upgrade propose. It changes nothing in the kernel.',
      ].join(' '),
    )
    .requiredOption('--rationale <text>', 'why; for the approvers')
    .option('--id <id>', 'id of the upgrade (default: pool-v and the number of the next version)')
    .option(
      '--from <file>',
      'the new pool, or the answer of `upgrade approvers --json` with changes; no editor is opened',
    )
    .option('--out <file>', 'write the upgrade there instead of to standard output')
    .action(editPool);
}

async function editPool(options: EditOptions): Promise<void> {
  const inForce = JSON.parse(await get(options, '/kernel/approvers')) as Approvers;
  const before = poolOf(inForce as unknown as JsonObject);
  const source = options.from ?? 'the edited pool';
  const edited =
    options.from === undefined
      ? await inEditor(`${JSON.stringify(before, null, 2)}\n`)
      : (await bytesOf(options.from)).toString('utf8');
  let pool: ApproverPool;
  try {
    pool = readApproverPool(poolOf(parseStrictJson(edited) as JsonObject));
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    const where = cause.pointer === undefined || cause.pointer === '' ? '' : ` at ${cause.pointer}`;
    throw new CliError(
      'file_problem',
      `${source} is no approver pool: ${cause.message}${where}`,
      {},
      { cause },
    );
  }
  const changes = jsonDiff(before, pool as unknown as JsonValue);
  if (changes.length === 0)
    throw new CliError('failed', 'Nothing was changed, so there is nothing to propose.');
  for (const line of changes) say(line);
  const upgradeId = options.id ?? `pool-v${inForce.version + 1}`;
  const manifest = { upgradeId, type: 'approver_pool', rationale: options.rationale, pool };
  const written = JSON.stringify(manifest, null, options.json === true ? 0 : 2);
  if (options.out === undefined) return print(written);
  await writeFile(options.out, `${written}\n`).catch((cause: NodeJS.ErrnoException) => {
    throw new CliError(
      'file_problem',
      `${resolve(options.out ?? '')} cannot be written (${cause.code}).`,
      {},
      { cause },
    );
  });
  say(`wrote ${resolve(options.out)}; propose it with ./kernel upgrade propose ${options.out}`);
}

/** The pool in what `upgrade approvers --json` prints: without what only the kernel says of it. */
function poolOf({ threshold, approvers, ...rest }: JsonObject): JsonObject {
  // A pool has no other members: what is not known is refused by whoever reads it as a pool.
  const unknown = Object.fromEntries(Object.entries(rest).filter(([name]) => !ONLY_SHOWN.includes(name)));
  const people = Array.isArray(approvers)
    ? approvers.map((approver): JsonValue => {
        if (typeof approver !== 'object' || approver === null || Array.isArray(approver)) return approver;
        const { revokedKeys: _, ...person } = approver;
        return person;
      })
    : approvers;
  return {
    ...unknown,
    ...(threshold === undefined ? {} : { threshold }),
    ...(people === undefined ? {} : { approvers: people }),
  };
}

const ONLY_SHOWN = ['version', 'policy', 'provisional', 'settled', 'pending'];

async function inEditor(before: string): Promise<string> {
  const { visual, editor } = loadConfig(editors);
  if (!process.stdin.isTTY) {
    throw new CliError(
      'wrong_usage',
      'There is no terminal for an editor here; give the new pool with --from FILE.',
    );
  }
  const dir = await mkdtemp(join(tmpdir(), 'kernel-pool-'));
  try {
    const file = join(dir, 'pool.json');
    await writeFile(file, before, { mode: 0o600 });
    // Through a shell, as git does: an editor has arguments of its own.
    const child = spawn('/bin/sh', ['-c', `${visual ?? editor ?? 'vi'} "$1"`, 'sh', file], {
      stdio: 'inherit',
    });
    const code = await new Promise<number | null>((done, fail) => {
      child.once('error', fail);
      child.once('exit', done);
    });
    if (code !== 0) throw new CliError('failed', `The editor ended with ${code}; nothing was proposed.`);
    return await readFile(file, 'utf8');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
