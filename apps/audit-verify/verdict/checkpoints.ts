import {
  asksForWitnesses,
  EvidenceError,
  GrowingTree,
  hexDecode,
  hexEncode,
  judgeCheckpoint,
  type LogPolicy,
  logName,
  parseSignedCheckpoint,
  policyOfRoot,
  type ChainFault,
  type EventFacts,
  type ProvenCheckpoint,
  type SignedCheckpoint,
  type TrustedSigner,
  type TrustRoot,
} from '#evidence';
import { UsageError } from '../usage.error';

export interface CheckpointOptions {
  files: readonly { path: string; note: string }[];
  trust: TrustRoot;
  policy: LogPolicy | null;
  /** Only this shard is verified. */
  shard: number | null;
}

/** A checkpoint with which the chain agrees. */
export interface AgreedCheckpoint {
  path: string;
  log: string;
  shard: number;
  size: number;
  /** Hex. */
  root: string;
  kid: string;
  /** Names of the witnesses that were asked for and have cosigned. */
  cosigned: string[];
}

interface Sought extends AgreedCheckpoint {
  agreed: boolean;
}

/**
 * Checks that the trees of the shards have the roots that published checkpoints state: `judge` once the keys are known,
 * then the leaves by shard and position, then `finish`.
 */
export class CheckpointCheck {
  private readonly policy: LogPolicy | null;
  private readonly read: { path: string; checkpoint: SignedCheckpoint }[];
  private readonly sought = new Map<number, Sought[]>();
  private readonly trees = new Map<number, { tree: GrowingTree; broken: boolean }>();

  /** @throws UsageError for a file that is no checkpoint, or of a shard that is not verified */
  constructor(private readonly options: CheckpointOptions) {
    this.policy = options.policy ?? rootPolicy(options.trust);
    this.read = options.files.map(({ path, note }) => {
      let checkpoint: SignedCheckpoint;
      try {
        checkpoint = parseSignedCheckpoint(note);
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
        throw new UsageError(`--checkpoint ${path}: ${error.message}`);
      }
      if (options.shard !== null && checkpoint.shard !== options.shard) {
        throw new UsageError(
          `--checkpoint ${path} is of shard ${checkpoint.shard}, and --shard checks ${options.shard} alone.`,
        );
      }
      return { path, checkpoint };
    });
  }

  /** By shard, the position up to which leaves are needed. */
  needed(): [shard: number, upTo: number][] {
    const needed = new Map<number, number>();
    for (const { checkpoint } of this.read) {
      const { shard, size } = checkpoint;
      needed.set(shard, Math.max(size, needed.get(shard) ?? 0));
    }
    return [...needed];
  }

  /** Whether they had to be cosigned. */
  get witnessed(): boolean {
    return asksForWitnesses(this.policy);
  }

  /** Checks who signed them. @param signers as trust root and chain know them together */
  judge(signers: readonly TrustedSigner[]): ChainFault[] {
    const faults: ChainFault[] = [];
    for (const { path, checkpoint } of this.read) {
      const { origin, shard, size, root } = checkpoint;
      const trust = { ...this.options.trust, signers };
      const { kid, cosigned, reasons } = judgeCheckpoint(checkpoint, trust, this.policy);
      if (kid === null || reasons.length > 0) {
        faults.push(fault(shard, size, `${path} does not verify: ${reasons.join('; ')}`));
        continue;
      }
      const sought: Sought = {
        path,
        log: logName(origin, shard),
        shard,
        size,
        root: hexEncode(root),
        kid,
        cosigned: cosigned.map(({ name }) => name),
        agreed: false,
      };
      const others = this.sought.get(shard);
      if (others === undefined) this.sought.set(shard, [sought]);
      else others.push(sought);
      if (size === 0) faults.push(...this.compare(sought, new GrowingTree()));
    }
    return faults;
  }

  /** Those whose signatures are right: that the chain agrees shows at the end, or is a fault. */
  proven(): ProvenCheckpoint[] {
    return [...this.sought.values()].flat().map(({ shard, size, kid }) => ({ shard, size, kid }));
  }

  /** The next event of the evidence. @param leaf hex; null for one whose format is wrong */
  event({ shard, seq }: EventFacts, leaf: string | null): ChainFault[] {
    const sought = this.sought.get(shard);
    if (sought === undefined) return [];
    let state = this.trees.get(shard);
    if (state === undefined) this.trees.set(shard, (state = { tree: new GrowingTree(), broken: false }));
    if (state.broken || !sought.some(({ size }) => size > (state?.tree.size ?? 0))) return [];
    // What is wrong with the order is told by others: here it only means that there is nothing to compare.
    if (leaf === null || seq !== state.tree.size + 1) {
      state.broken = true;
      return [];
    }
    state.tree.append(hexDecode(leaf));
    const { tree } = state;
    return sought.filter(({ size }) => size === tree.size).flatMap((one) => this.compare(one, tree));
  }

  /** Finds those that could not be compared. */
  finish(): ChainFault[] {
    return [...this.sought.values()].flat().flatMap(({ path, shard, size, agreed }) => {
      const state = this.trees.get(shard);
      const reached = state?.tree.size ?? 0;
      if (agreed || reached >= size) return [];
      if (state?.broken === true) {
        const what = `${path} cannot be compared: the events before ${shard}:${size} are not all there in order`;
        return [fault(shard, size, what)];
      }
      const message = `${path} has the size ${size}, the evidence has ${reached} events of the shard`;
      return [{ code: 'truncation', shard, seq: size, id: null, message }];
    });
  }

  /** Those with which the chain agrees. */
  agreed(): AgreedCheckpoint[] {
    return [...this.sought.values()]
      .flat()
      .filter(({ agreed }) => agreed)
      .sort((a, b) => a.shard - b.shard || a.size - b.size)
      .map(({ agreed: _, ...checkpoint }) => checkpoint);
  }

  private compare(sought: Sought, tree: GrowingTree): ChainFault[] {
    const root = hexEncode(tree.root());
    sought.agreed = root === sought.root;
    if (sought.agreed) return [];
    const { path, shard, size } = sought;
    const what = `the tree of the first ${size} events has the root ${root}, ${path} says ${sought.root}`;
    return [fault(shard, size, what)];
  }
}

function rootPolicy(trust: TrustRoot): LogPolicy | null {
  try {
    return policyOfRoot(trust);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UsageError(`The member "log" of signers.json: ${error.message}`);
  }
}

function fault(shard: number, seq: number, message: string): ChainFault {
  return { code: 'checkpoint', shard, seq, id: null, message };
}
