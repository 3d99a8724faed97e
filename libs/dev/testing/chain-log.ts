import { sign } from 'node:crypto';
import {
  checkpointText,
  cosignatureInput,
  leafHash,
  logName,
  logProofText,
  nodeHash,
  noteKeyHash,
  noteKeyText,
  signedNote,
  timestampedSignature,
  type NoteKeyType,
  type NoteSignature,
} from '#evidence';
import { type EvidenceChain, type TestSigner } from './evidence-chain';

/** What a checkpoint is made of, where it is to differ from what the chain says. */
export interface CheckpointParts {
  size?: number;
  origin?: string;
  shard?: number;
  /** Who signs as the log; default the log's own key. */
  signers?: readonly TestSigner[];
  /** Who cosigns; default all witnesses of the log. */
  witnesses?: readonly TestWitness[];
  /** Further signature lines. */
  lines?: readonly NoteSignature[];
}

/** A witness with a key of its own. */
export class TestWitness {
  constructor(
    readonly name: string,
    readonly signer: TestSigner,
  ) {}

  get vkey(): string {
    return noteKeyText({ name: this.name, type: 'cosignature/v1', raw: this.signer.rawPublicKey });
  }

  cosign(text: string, time = 1_769_853_600): NoteSignature {
    const signature = sign(null, cosignatureInput(time, text), this.signer.privateKey);
    return line(this.name, this.signer, 'cosignature/v1', timestampedSignature({ time, signature }));
  }
}

/** The log of a test chain, in memory: checkpoints and receipts as a log publisher would have made them. */
export class ChainLog {
  constructor(
    readonly chain: EvidenceChain,
    private readonly signer: TestSigner,
    private readonly witnesses: readonly TestWitness[] = [],
  ) {}

  /** The text of a checkpoint, which is what is signed. */
  text({
    size = this.chain.bytes.length,
    origin = this.chain.origin,
    shard = this.chain.shard,
  }: CheckpointParts = {}) {
    return checkpointText({ origin, shard, size, root: this.hash(0, size) });
  }

  /** A signed checkpoint. */
  checkpoint(parts: CheckpointParts = {}): string {
    const { signers = [this.signer], witnesses = this.witnesses, lines = [] } = parts;
    const text = this.text(parts);
    const name = text.slice(0, text.indexOf('\n'));
    const own = signers.map((signer) => signedLine(name, signer, text));
    return signedNote({
      text,
      signatures: [...own, ...witnesses.map((witness) => witness.cosign(text)), ...lines],
    });
  }

  /** The receipt of the event at a position. @param checkpoint default that of the parts */
  receipt(seq: number, parts: CheckpointParts = {}, checkpoint = this.checkpoint(parts)): string {
    return logProofText(seq - 1, this.path(seq - 1, parts.size ?? this.chain.bytes.length), checkpoint);
  }

  /** Audit path as RFC 6962 section 2.1.1 defines it. */
  path(index: number, size: number, from = 0): Uint8Array[] {
    if (size <= 1) return [];
    const left = splitOf(size);
    return index < left
      ? [...this.path(index, left, from), this.hash(from + left, size - left)]
      : [...this.path(index - left, size - left, from + left), this.hash(from, left)];
  }

  get name(): string {
    return logName(this.chain.origin, this.chain.shard);
  }

  /** Root of `count` leaves as RFC 6962 section 2.1 defines it. */
  private hash(from: number, count: number): Uint8Array {
    if (count === 1) return leafHash(this.chain.bytes[from] as Uint8Array);
    const left = splitOf(count);
    return nodeHash(this.hash(from, left), this.hash(from + left, count - left));
  }
}

/** The line with which a key signs a text as a log of that name. */
export function signedLine(name: string, signer: TestSigner, text: string): NoteSignature {
  const signature = Uint8Array.from(sign(null, Buffer.from(text), signer.privateKey));
  return line(name, signer, 'ed25519', signature);
}

function line(
  name: string,
  { rawPublicKey }: TestSigner,
  type: NoteKeyType,
  signature: Uint8Array<ArrayBuffer>,
): NoteSignature {
  return { name, keyHash: noteKeyHash(name, rawPublicKey, type), signature };
}

/** The largest power of two below a count of at least 2. */
function splitOf(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}
