import {
  EvidenceError,
  isOrigin,
  type LogPolicy,
  MAX_SHARDS,
  parseLogPolicy,
  type TrustRoot,
} from '#evidence';
import { type ChainReport, reportLines } from '../../report/chain-report';
import { UsageError } from '../../usage.error';
import { ChainVerdict } from '../chain-verdict';
import { expectedHeadOf, expectedHeadsOf } from '../expected-heads';
import { MemorySpill } from '../identity/memory-spill';
import { SpillingIdentityCheck } from '../identity/spilling-identity-check';
import { acceptAll } from '../inspected/accept-all';
import { type InspectionSetup, type TaskResult } from '../inspected/inspected-events';
import { type Judged, judgeSingle } from '../single-verdict';
import { combineTrust, firstPoolOf, signersFileOf } from '../trust';
import { judgeUpgrade } from '../upgrade-verdict';
import { chunksOf, registryLines } from './blob-lines';
import { type FileKind, FILE_KINDS } from './file-kind';

export interface GivenFile {
  kind: FileKind;
  name: string;
  content: Blob;
}

/** What is said beside the files; empty: nothing. */
export interface Said {
  origin: string;
  shards: string;
  /** SHA-256 in hex, or `none`. */
  firstPool: string;
  /** One head a line. */
  heads: string;
}

/** Those who inspect parts of a chain. */
export interface Inspectors {
  /** How many parts at once. */
  readonly parallel: number;
  inspect(lines: Uint8Array<ArrayBuffer>, setup: InspectionSetup): Promise<TaskResult>;
}

export interface FileVerdict extends Judged {
  /** What was verified, in words. */
  what: string;
  /** What is known of a chain; null for everything else. */
  report: ChainReport | null;
}

/** A file of one document is read whole up to this size: far above every format's own bound. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;

/**
 * The verdicts on what is among the files: an upgrade's evidence, an event with its receipt, a manifest with its envelope,
 * a chain. They are those of audit-verify.js, with the same faults in the same words.
 * @param progress bytes of a chain that were read, and events in them
 * @throws UsageError what is missing, or does not go together
 */
export async function verifyFiles(
  files: readonly GivenFile[],
  said: Said,
  inspectors: Inspectors,
  progress: (bytes: number, events: number) => void,
): Promise<FileVerdict[]> {
  const given = new GivenFiles(files);
  const trust = await trustOf(given, said);
  const policy = await policyOf(given);
  const verdicts: FileVerdict[] = [];
  for (const { name, content } of given.all('upgrade')) {
    const judged = judgeUpgrade(await bytesOf(name, content), trust, { withoutProofs: false, policy });
    verdicts.push({ ...judged, what: `Evidence of an upgrade, ${name}`, report: null });
  }
  const single = await singleOf(given, trust, policy);
  if (single !== null) verdicts.push(single);
  const chain = given.one('export') ?? (given.one('receipt') === null ? given.one('event') : null);
  if (chain !== null) {
    const checkpoints = given.all('checkpoint').map(async ({ name, content }) => ({
      path: name,
      note: textOf(await bytesOf(name, content)),
    }));
    const verdict = new ChainVerdict(
      trust,
      {
        from: 1,
        shard: null,
        chainOnly: false,
        expectedHeads: await headsOf(given, said),
        checkpoints: await Promise.all(checkpoints),
        policy,
      },
      { whole: false, lateArrivals: true },
    );
    const report = await verifyChain(chain.content, verdict, inspectors, progress);
    verdicts.push({
      what: `A chain, ${chain.name}`,
      verified: report.verified,
      lines: reportLines(report),
      json: report,
      report,
    });
  } else if (given.all('checkpoint').length > 0) {
    throw new UsageError('A published checkpoint goes with the events of its chain, which are missing.');
  }
  if (verdicts.length === 0) {
    throw new UsageError(
      'Nothing to verify: add the events of a chain, the evidence of an upgrade, an event with its receipt, or a manifest with its envelope.',
    );
  }
  return verdicts;
}

/** Judges the events of a file, some parts of it at once. */
async function verifyChain(
  file: Blob,
  verdict: ChainVerdict,
  inspectors: Inspectors,
  progress: (bytes: number, events: number) => void,
): Promise<ChainReport> {
  verdict.begin(
    verdict.foldBeforehand(await registryLines(file)),
    new SpillingIdentityCheck((size) => new MemorySpill(size), true),
  );
  const setup = verdict.setup();
  const begun: { result: Promise<TaskResult>; read: number }[] = [];
  let lines = 0;
  let bytes = 0;
  const takeFirst = async (): Promise<void> => {
    const first = begun.shift();
    if (first === undefined) return;
    const result = await first.result;
    acceptAll(verdict, result, lines);
    lines += result.items;
    bytes += first.read;
    progress(bytes, verdict.count);
  };
  for await (const chunk of chunksOf(file)) {
    begun.push({ result: inspectors.inspect(chunk.lines, setup), read: chunk.read });
    if (begun.length > inspectors.parallel) await takeFirst();
  }
  while (begun.length > 0) await takeFirst();
  return verdict.conclude();
}

async function singleOf(
  given: GivenFiles,
  trust: TrustRoot,
  policy: LogPolicy | null,
): Promise<FileVerdict | null> {
  const receipt = given.one('receipt');
  const record = receipt && { receipt, event: given.needed('event', 'receipt') };
  const envelope = given.one('envelope');
  const signature = envelope && { envelope, manifest: given.needed('manifest', 'envelope') };
  if (record === null && signature === null) return null;
  const judged = judgeSingle(
    {
      record: record && {
        receipt: textOf(await bytesOf(record.receipt.name, record.receipt.content)),
        event: await bytesOf(record.event.name, record.event.content),
      },
      signature: signature && {
        manifest: await bytesOf(signature.manifest.name, signature.manifest.content),
        envelope: await bytesOf(signature.envelope.name, signature.envelope.content),
      },
      ...(policy === null ? {} : { policy }),
    },
    trust,
  );
  const what =
    signature === null ? `An event, ${record?.event.name}` : `A manifest, ${signature.manifest.name}`;
  return { ...judged, what, report: null };
}

async function trustOf(given: GivenFiles, said: Said): Promise<TrustRoot> {
  const signers = given.one('signers');
  if (signers === null) {
    throw new UsageError('There is no trust root: add the signers.json that you trust.');
  }
  const { origin, shards, firstPool } = said;
  if (origin !== '' && !isOrigin(origin)) {
    throw new UsageError(`${said.origin} is no origin: it looks like kernel.example.com/prod.`);
  }
  if (shards !== '' && !(/^\d{1,9}$/.test(shards) && Number(shards) >= 1 && Number(shards) <= MAX_SHARDS)) {
    throw new UsageError(`The number of shards is from 1 to ${MAX_SHARDS}, not ${shards}.`);
  }
  if (firstPool !== '' && firstPool !== 'none' && !/^[0-9a-f]{64}$/.test(firstPool)) {
    throw new UsageError(`The first pool is "none" or 64 hexadecimal digits, not ${firstPool}.`);
  }
  const pool = given.one('pool');
  if (pool !== null && firstPool !== '') throw new UsageError('The first pool is given twice.');
  return combineTrust(
    {
      path: signers.name,
      content: signersFileOf(signers.name, await bytesOf(signers.name, signers.content)),
    },
    {
      origin: origin === '' ? null : origin,
      shards: shards === '' ? null : Number(shards),
      firstPool:
        pool === null
          ? firstPoolSaid(firstPool)
          : { pool: firstPoolOf(pool.name, await bytesOf(pool.name, pool.content)) },
    },
  );
}

function firstPoolSaid(text: string): Parameters<typeof combineTrust>[1]['firstPool'] {
  if (text === '') return null;
  return { pool: text === 'none' ? null : { version: 1, sha256: text } };
}

async function policyOf(given: GivenFiles): Promise<LogPolicy | null> {
  const file = given.one('policy');
  if (file === null) return null;
  try {
    return parseLogPolicy(await bytesOf(file.name, file.content));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UsageError(`${file.name}: ${error.message}`);
  }
}

async function headsOf(given: GivenFiles, said: Said): ReturnType<typeof headsInFiles> {
  const heads = said.heads
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const head = expectedHeadOf(line);
      if (head === null) {
        throw new UsageError(`${line} is neither <hash>, <shard>:<seq> nor <shard>:<seq>:<hash>.`);
      }
      return head;
    });
  return [...heads, ...(await headsInFiles(given))];
}

async function headsInFiles(given: GivenFiles): Promise<ReturnType<typeof expectedHeadsOf>> {
  const files = given
    .all('heads')
    .map(async ({ name, content }) => expectedHeadsOf(name, textOf(await bytesOf(name, content))));
  return (await Promise.all(files)).flat();
}

async function bytesOf(name: string, content: Blob): Promise<Uint8Array<ArrayBuffer>> {
  if (content.size > MAX_DOCUMENT_BYTES) {
    throw new UsageError(
      `${name}: it has ${content.size} bytes; of a document at most ${MAX_DOCUMENT_BYTES} are read.`,
    );
  }
  return new Uint8Array(await content.arrayBuffer());
}

/** What is not UTF-8 is replaced, so that what it says does not verify. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

class GivenFiles {
  constructor(private readonly files: readonly GivenFile[]) {}

  all(kind: FileKind): GivenFile[] {
    return this.files.filter((file) => file.kind === kind);
  }

  /** @throws UsageError when there are several: which one counts is not for a verifier to guess */
  one(kind: FileKind): GivenFile | null {
    const [file = null, other] = this.all(kind);
    if (file !== null && other !== undefined) {
      throw new UsageError(`${file.name} and ${other.name}: only one ${FILE_KINDS[kind]} at a time.`);
    }
    return file;
  }

  needed(kind: FileKind, with_: FileKind): GivenFile {
    const file = this.one(kind);
    if (file === null)
      throw new UsageError(`The ${FILE_KINDS[with_]} goes with: ${FILE_KINDS[kind]}, which is missing.`);
    return file;
  }
}
