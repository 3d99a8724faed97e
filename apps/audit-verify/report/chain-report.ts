import {
  type ChainFault,
  type KeySpan,
  type LoggedEvents,
  printable,
  type ReattestedEvents,
  type ShardHead,
} from '#evidence';
import { type AgreedCheckpoint } from '../verdict/checkpoints';

export interface ChainReport {
  verified: boolean;
  origin: string;
  /** Whether signatures and keys were checked. */
  signatures: boolean;
  events: number;
  /** By shard and position; those without a position come first. */
  faults: ChainFault[];
  /** More than those listed when there are very many. */
  faultCount: number;
  /** Among `events`: signed by a key that others may have had, and vouched for by a statement that is valid. */
  reattested: ReattestedEvents[];
  /** Among `events`: in doubt by their own signatures, and in the log before their key was known to be lost. */
  logged: LoggedEvents[];
  heads: ShardHead[];
  /** First position that was checked in each shard. */
  from: number;
  /** Published checkpoints with which the events agree. */
  checkpoints: AgreedCheckpoint[];
  /** Empty when only the chain was checked. */
  keys: ReportedKey[];
  /** Day manifests of an archive, and whether their signatures were checked. */
  manifests?: { count: number; signatures: boolean };
  /** What the verdict does not say, in sentences. */
  notChecked: string[];
  /** The end of each shard that no expected head, day manifest or checkpoint vouches for. */
  unanchored: UnanchoredEnd[];
}

/** A key with which events were judged. */
export interface ReportedKey {
  kid: string;
  purposes: string[];
  status: string;
  /** Hex, of the 32 bytes of the public key. */
  sha256: string;
  /** Where it signs; null: neither trust root nor chain says it. */
  span: KeySpan | null;
}

/** Positions of a shard that could be gone, or others, without this verifier seeing it; `to` 0: it is empty. */
export interface UnanchoredEnd {
  shard: number;
  from: number;
  to: number;
}

/** Faults kept for the report; the rest is counted. */
const LISTED = 10_000;

export class FaultList {
  private readonly listed: ChainFault[] = [];
  private total = 0;

  add(faults: readonly ChainFault[]): void {
    this.total += faults.length;
    for (const fault of faults) if (this.listed.length < LISTED) this.listed.push(fault);
  }

  get count(): number {
    return this.total;
  }

  sorted(): ChainFault[] {
    const order = (a: number | null, b: number | null): number => (a ?? -1) - (b ?? -1);
    return this.listed.sort((a, b) => order(a.shard, b.shard) || order(a.seq, b.seq));
  }
}

/** What goes to standard output: the verdict with each head, or one line per fault. */
export function reportLines(report: ChainReport): string[] {
  const { verified, faults, heads, reattested, logged, checkpoints } = report;
  const doubtful = [...reattested.map(reattestedLine), ...logged.map(loggedLine)];
  if (!verified) return [...doubtful, ...faults.map(faultLine)];
  const before = [...doubtful, ...checkpoints.map(checkpointLine), ...limitLines(report)];
  const [first] = heads;
  if (heads.length === 1 && first !== undefined) {
    return [...before, `Audit chain verified. Head hash: ${first.hash}`];
  }
  return [
    ...before,
    ...heads.map(
      ({ shard, seq, hash }) =>
        `Audit chain verified. Head hash: ${hash} (shard ${shard}, position ${shard}:${seq})`,
    ),
  ];
}

/** What the verdict below them does not claim. */
function limitLines({ notChecked, unanchored }: Pick<ChainReport, 'notChecked' | 'unanchored'>): string[] {
  const lines = notChecked.map((sentence) => printable(`not checked: ${sentence}`));
  const open = unanchoredSentence(unanchored);
  return open === null ? lines : [...lines, open];
}

/** What of the end nothing vouches for, in one sentence; null when there is nothing of the kind. */
export function unanchoredSentence(unanchored: readonly UnanchoredEnd[]): string | null {
  if (unanchored.length === 0) return null;
  const ends = unanchored.map(({ shard, from, to }) => {
    if (to === 0) return `shard ${shard}, of which there is nothing`;
    return from === to ? `${shard}:${to}` : `${shard}:${from} to ${shard}:${to}`;
  });
  return `the end is not anchored: no expected head, day manifest or checkpoint vouches for ${ends.join(', ')}`;
}

function checkpointLine({ log, size, kid, cosigned }: AgreedCheckpoint): string {
  const by = cosigned.length === 0 ? 'without cosignatures' : `cosigned by ${cosigned.join(', ')}`;
  return printable(`in the log: ${log} at size ${size}, signed by ${kid}, ${by}`);
}

/** The same for events that the log vouches for. */
function loggedLine({ kid, shard, from, to, count, size, by }: LoggedEvents): string {
  const events = count === 1 ? '1 event' : `${count} events`;
  return printable(
    `in the log in time: ${events} by the compromised key ${kid}, positions ${shard}:${from} to ${shard}:${to}; the checkpoint of size ${size} by ${by} is from before its compromise was declared`,
  );
}

/** Events that are not valid by their own signatures: the reader of the verdict has to see that. */
function reattestedLine({ kid, shard, from, to, count, by }: ReattestedEvents): string {
  const events = count === 1 ? '1 event' : `${count} events`;
  return printable(
    `re-attested: ${events} by the compromised key ${kid}, positions ${shard}:${from} to ${shard}:${to}; ${by.signerKid} stands by them at ${by.shard}:${by.seq}`,
  );
}

function faultLine({ code, shard, seq, id, message }: ChainFault): string {
  const position = shard === null || seq === null ? 'unknown' : `${shard}:${seq}`;
  // Names and messages quote the evidence: none of it may move the cursor or start a new line.
  const event = id ?? (code === 'gap' || code === 'truncation' ? 'missing' : 'unknown');
  return printable(`${code}: event ${event}, position ${position}: ${message}`);
}
