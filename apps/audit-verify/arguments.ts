import { readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isOrigin, MAX_SHARDS, type ExpectedHead, type LogPolicy } from '#evidence';
import { readPolicyOption, readTextInput } from './read-input';
import { readOptions } from './read-options';
import { reportKind, type ReportKind } from './report/report-file';
import { readS3Location, type S3Location } from './sources/s3-location';
import { readFirstPoolOption, type TrustOptions } from './trust-root';
import { UsageError } from './usage.error';
import { expectedHeadOf, expectedHeadsOf } from './verdict/expected-heads';

export type Source =
  | { kind: 'export'; path: string }
  | { kind: 'dir'; path: string }
  | { kind: 's3'; location: S3Location }
  | { kind: 'database'; url: string };

/** `signers` is null only in chain-only mode, which needs no keys. */
export interface Arguments extends TrustOptions {
  source: Source;
  from: number;
  shard: number | null;
  expectedHeads: ExpectedHead[];
  json: boolean;
  chainOnly: boolean;
  jobs: number;
  /** Published checkpoints that the chain must agree with. */
  checkpoints: { path: string; note: string }[];
  /** Whose cosignatures they need, in place of what the trust root says. */
  policy: LogPolicy | null;
  report: { path: string; kind: ReportKind } | null;
}

export const USAGE = `Usage: node tools/audit-verify.js --signers FILE (--export FILE | --dir DIR | --s3 URL | --database-url URL) [options]

Checks an audit chain with nothing but public keys: format, hash, link, order, time, stream and signature of every event.

  --signers FILE       signers.json, the trust root; alone, it says what is in the file
  --export FILE        canonical events, one per line; - reads standard input
  --dir DIR            an archive folder: audit/YYYY/MM/DD/<id>.json below it, and its day manifests
  --s3 URL             an archive in a bucket: s3://bucket/prefix, or https://host:port/bucket/prefix; region and
                       credentials from AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
                       (without them it is read anonymously)
  --s3-endpoint URL    S3 server for s3:// (default: AWS_ENDPOINT_URL, else AWS)
  --database-url URL   PostgreSQL, table kernel.events (default, where nothing else is named: DATABASE_URL)
  --origin ORIGIN      the kernel the chain belongs to (default: the member "origin" of signers.json)
  --shards N           how many shards it has (default: the member "shards")
  --first-pool POOL    the approver pool it was founded with: SHA-256 of its canonical form, a file with it, or "none"
                       (default: the member "approverPool"). What nobody says is taken from the founding event of the
                       chain, and the report says so
  --from SEQ           first position to check in each shard (default 1)
  --shard N            check this shard only
  --expect-head HEAD   a head seen earlier that must still be in the chain: <hash>, <shard>:<seq> or
                       <shard>:<seq>:<hash>, or a file with the answer of GET /kernel/audit/head; may be repeated
  --checkpoint FILE    a published checkpoint of a shard's log: the tree of these events must have its root; may be repeated
  --policy FILE        whose cosignatures a checkpoint needs, as c2sp.org/tlog-policy (default: the member "log")
  --report FILE        a report to hand on, by the name's end: .html, .csv or .json
  --chain-only         leave signatures and keys out: hashes, links and order alone (--signers may be missing)
  --jobs N             worker threads (default: one per core)
  --json               one JSON object instead of lines
  --help               this text

       node tools/audit-verify.js --signers FILE --receipt FILE --event FILE [options]

Checks one event (GET /kernel/audit/{id}) by its receipt (GET /kernel/audit/{id}/receipt): its signature, and that it is in the log.

       node tools/audit-verify.js --signers FILE --manifest FILE --envelope FILE [--receipt FILE --event FILE] [options]

Checks one manifest signature, with its manifest.signed event and receipt also one by a key that has ended since.
Both take --policy, --origin, --shards, --json and --report FILE.json.

       node tools/audit-verify.js --signers FILE --audit-report FILE --seal FILE [--origin ORIGIN] [--json]

Checks that the auditor of this kernel wrote a report (reports/YYYY/MM/DD/<id>.json of the archive and <id>.seal.json, or
GET /kernel/audit-runs/{id}). It does not check what the report says: that takes the chain.

       node tools/audit-verify.js --upgrade FILE --signers FILE [--origin ORIGIN] [--shards N] [--first-pool POOL]
                                  [--policy FILE] [--without-proofs] [--json] [--report FILE.json]

Checks the evidence of one upgrade (GET /kernel/upgrade/{id}/evidence): every event and its key, the pool from the first
one on, every approval, the quorum, and that all of it is in the published log.

  --policy FILE        whose cosignatures the log needs, a c2sp.org/tlog-policy (default: the member "log" of signers.json)
  --without-proofs     accept a file without proofs that it is in the log; the verdict then says "not anchored"

Exit code 0: verified. 1: faults, one line each. 2: wrong use, or the source cannot be read.
`;

/**
 * Reads the command line of a chain's verification.
 * @param environment AWS's own variables, and DATABASE_URL
 * @returns null when only help is asked for
 */
export function readArguments(argv: string[], environment: NodeJS.ProcessEnv): Arguments | null {
  const values = readOptions(argv, {
    ...TRUST_OPTIONS,
    export: { type: 'string' },
    dir: { type: 'string' },
    'database-url': { type: 'string' },
    s3: { type: 'string' },
    's3-endpoint': { type: 'string' },
    checkpoint: { type: 'string', multiple: true },
    policy: { type: 'string' },
    report: { type: 'string' },
    from: { type: 'string' },
    shard: { type: 'string' },
    'expect-head': { type: 'string', multiple: true },
    'chain-only': { type: 'boolean' },
    jobs: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  });
  if (values.help === true) return null;
  if (values['s3-endpoint'] !== undefined && values.s3 === undefined) {
    throw new UsageError('--s3-endpoint says where --s3 is, which is missing.');
  }
  const chainOnly = values['chain-only'] ?? false;
  if (values.signers === undefined && !chainOnly) {
    throw new UsageError('--signers is missing: name the signers.json to trust (or check the --chain-only).');
  }
  const from = integer('--from', values.from, 1) ?? 1;
  const shard = integer('--shard', values.shard, 0);
  const checkpoints = values.checkpoint ?? [];
  if (checkpoints.length > 0 && from > 1) {
    throw new UsageError('--checkpoint speaks of all events of a shard: leave --from out.');
  }
  if (checkpoints.length > 0 && chainOnly) {
    throw new UsageError('--checkpoint is signed: it cannot be checked with --chain-only.');
  }
  if (values.policy !== undefined && checkpoints.length === 0) {
    throw new UsageError('--policy says whose cosignatures a --checkpoint needs, which is missing.');
  }
  return {
    ...trustOptions(values),
    source: oneSource(values, environment),
    checkpoints: checkpoints.map((path) => ({ path, note: readTextInput('--checkpoint', path) })),
    policy: values.policy === undefined ? null : readPolicyOption(values.policy),
    report: values.report === undefined ? null : { path: values.report, kind: reportKind(values.report) },
    from,
    shard,
    expectedHeads: headsToExpect(values['expect-head'] ?? [], from, shard),
    json: values.json ?? false,
    chainOnly,
    jobs: integer('--jobs', values.jobs, 1) ?? availableParallelism(),
  };
}

/** Options of every way to verify that say what to trust. */
export const TRUST_OPTIONS = {
  signers: { type: 'string' },
  origin: { type: 'string' },
  shards: { type: 'string' },
  'first-pool': { type: 'string' },
} as const;

/** What every way to verify is given of the trust root. */
export function trustOptions(values: {
  signers?: string | undefined;
  origin?: string | undefined;
  shards?: string | undefined;
  'first-pool'?: string | undefined;
}): TrustOptions {
  const origin: string | null = values.origin ?? null;
  if (origin !== null && !isOrigin(origin)) {
    throw new UsageError(`--origin ${String(origin)} is no origin: it looks like kernel.example.com/prod.`);
  }
  const shards = integer('--shards', values.shards, 1);
  if (shards !== null && shards > MAX_SHARDS) {
    throw new UsageError(`--shards must be at most ${MAX_SHARDS}, not ${shards}.`);
  }
  const pool = values['first-pool'];
  return {
    signers: values.signers ?? null,
    origin,
    shards,
    firstPool: pool === undefined ? null : readFirstPoolOption(pool),
  };
}

function oneSource(
  {
    export: file,
    dir,
    s3,
    'database-url': url,
    's3-endpoint': endpoint,
  }: Partial<Record<'export' | 'dir' | 's3' | 'database-url' | 's3-endpoint', string | undefined>>,
  environment: NodeJS.ProcessEnv,
): Source {
  const given: Source[] = [];
  if (file !== undefined) given.push({ kind: 'export', path: file });
  if (dir !== undefined) given.push({ kind: 'dir', path: dir });
  if (url !== undefined) given.push({ kind: 'database', url });
  if (s3 !== undefined) {
    given.push({ kind: 's3', location: readS3Location(s3, endpoint ?? null, environment) });
  }
  // It stands for nothing but an option that is not there: who names an archive means the archive.
  const fromEnvironment = environment['DATABASE_URL'];
  if (given.length === 0 && fromEnvironment) given.push({ kind: 'database', url: fromEnvironment });
  const [source, ...more] = given;
  if (source === undefined) {
    throw new UsageError(
      'Nothing to verify: name one of --export FILE, --dir DIR, --s3 URL or --database-url URL, or set DATABASE_URL.',
    );
  }
  if (more.length > 0) throw new UsageError('Name only one of --export, --dir, --s3 and --database-url.');
  return source;
}

function integer(option: string, text: string | undefined, least: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`${option} must be an integer from ${least}, not ${text}.`);
  }
  return value;
}

/** The heads that concern the shard asked for; position 0 is the head of an empty shard. */
function headsToExpect(texts: string[], from: number, shard: number | null): ExpectedHead[] {
  const heads = texts
    .flatMap(readExpectedHead)
    .filter((head) => shard === null || head.shard === null || head.shard === shard);
  for (const { shard: of, seq } of heads) {
    if (seq !== null && seq > 0 && seq < from) {
      throw new UsageError(`--expect-head ${of}:${seq} lies before --from ${from}: it would not be checked.`);
    }
  }
  return heads;
}

function readExpectedHead(text: string): ExpectedHead[] {
  const head = expectedHeadOf(text);
  if (head !== null) return [head];
  if (statSync(text, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new UsageError(
      `--expect-head ${text} is neither <hash>, <shard>:<seq>, <shard>:<seq>:<hash> nor a file that exists.`,
    );
  }
  return expectedHeadsOf(text, readFileSync(text, 'utf8'));
}
