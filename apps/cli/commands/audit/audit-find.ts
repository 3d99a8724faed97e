import { type Command } from 'commander';
import { manifestDigest, parseStrictJson } from '#evidence';
import { type AuditEvent, type EventPage } from '#openapi/kernel';
import { type ConnectionOptions } from '../../api/connection';
import { type KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { print, say } from '../../output/print';
import { shown } from '../../output/shown';
import { documentText, numberOf, reading, withClient, withQuery } from '../api-calls';

/** Filters of the list, as options of the command. */
interface Filters {
  stream?: string;
  subject?: string;
  type?: string;
  actor?: string;
  division?: string;
  sha256?: string;
  signerKid?: string;
  correlationId?: string;
  from?: string;
  to?: string;
}

type FindOptions = ConnectionOptions &
  Filters & { manifest?: string; after?: string; newest?: true; limit: string; json?: true };

/** The longest page of the list (openapi/kernel.yaml). */
const PAGE = 1_000;

export function addAuditFind(audit: Command): void {
  reading(audit.command('find'))
    .summary('find events: of a digest, a key, a request, a division, a stream')
    .description(
      [
        'Finds events, the oldest first, or the newest with --newest; several filters narrow each other. With --sha256 or',
        '--manifest: every signature of that manifest which the kernel ever made, whoever asked for it.',
      ].join(' '),
    )
    .option('--sha256 <digest>', 'signatures of the manifest with this digest')
    .option('--manifest <file>', 'signatures of this manifest (JSON; - for standard input)')
    .option('--stream <stream>', 'events of one stream, such as invoice/2026-17')
    .option('--subject <prefix>', 'events of the streams that begin so, such as invoice/2026-')
    .option('--type <type>', 'events of one type')
    .option('--actor <id>', 'events that one caller brought about')
    .option('--division <id>', 'events of a division')
    .option('--signer-kid <kid>', 'events that one audit key signed')
    .option('--correlation-id <uuid>', 'events of one request')
    .option('--from <time>', 'events at or after this time (RFC 3339)')
    .option('--to <time>', 'events before this time')
    .option('--after <position>', 'wait until the index has this position ("<shard>:<seq>")')
    .option('--newest', 'the newest first')
    .option('--limit <n>', 'at most so many', '100')
    .action(async (options: FindOptions) => {
      await find(options);
    });
}

async function find(options: FindOptions): Promise<void> {
  const most = numberOf('--limit', options.limit);
  if (!Number.isSafeInteger(most) || most < 1) {
    throw new CliError('wrong_usage', `--limit takes a whole number from 1, not "${options.limit}".`);
  }
  const filters = await filtersOf(options);
  const { count, more } = await withClient(options, (client) => list(client, filters, most, options));
  if (options.json === true) return;
  if (count === 0) say('no event matches');
  if (more) say(`there are more than these ${count}; say --limit for a longer list`);
}

async function filtersOf(options: FindOptions): Promise<Record<string, string | undefined>> {
  const { stream, subject, type, actor, division, signerKid, correlationId, from, to } = options;
  if (options.manifest !== undefined && options.sha256 !== undefined) {
    throw new CliError('wrong_usage', 'Name --sha256 or --manifest, not both.');
  }
  const sha256 = options.manifest === undefined ? options.sha256 : await digestOf(options.manifest);
  return { stream, subject, type, actor, division, sha256, signerKid, correlationId, from, to };
}

async function digestOf(file: string): Promise<string> {
  const manifest = parseStrictJson(await documentText(file, 'looked for'));
  if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest)) {
    throw new CliError('file_problem', `${file} cannot be looked for: a manifest is a JSON object.`);
  }
  return manifestDigest(manifest);
}

/** Prints page after page as it comes: one line an event, or with --json the events as they are, one a line. */
async function list(
  client: KernelApiClient,
  filters: Record<string, string | undefined>,
  most: number,
  { after, newest, json }: FindOptions,
): Promise<{ count: number; more: boolean }> {
  const headers = after === undefined ? {} : { 'kernel-min-position': after };
  const order = newest === true ? 'newest' : undefined;
  let count = 0;
  for (let cursor: string | undefined; ;) {
    const limit = String(Math.min(PAGE, most - count));
    const path = withQuery('/kernel/audit', { ...filters, order, limit, cursor });
    const page = await client.get(path, headers);
    const { events, nextCursor } = json === true ? (JSON.parse(page) as EventPage) : shown<EventPage>(page);
    for (const event of events) print(json === true ? JSON.stringify(event) : describe(event));
    count += events.length;
    if (nextCursor === null || count >= most) return { count, more: nextCursor !== null };
    cursor = nextCursor;
  }
}

function describe({ ts, shard, seq, type, stream, actor, id, payload }: AuditEvent): string {
  const signed = typeof payload['sha256'] === 'string' ? `  sha256:${payload['sha256']}` : '';
  return `${ts}  ${shard}:${seq}  ${id}  ${type}  ${stream}  by ${actor.id}${signed}`;
}
