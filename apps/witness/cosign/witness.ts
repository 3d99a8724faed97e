import {
  EvidenceError,
  emptyRoot,
  isConsistent,
  type NoteKey,
  type NoteSignature,
  parseAddCheckpoint,
  parseCheckpointNote,
  printable,
  sameBytes,
  signatureBy,
  signatureLine,
  type SignedNote,
  signedNote,
  type TreeHead,
  type TreeState,
} from '#evidence';
import { type Logger } from '#platform/process';
import { type WitnessKey } from '../key/witness-key';
import { type Cosigned, MAX_NOTE_BYTES, type WitnessState } from '../state/witness-state';
import { type KnownLog } from './known-logs';

/** Why a checkpoint is not cosigned. */
export type Refusal =
  /** The request is not in the form of c2sp.org/tlog-witness. */
  | 'malformed'
  | 'unknown_log'
  /** No key that the witness knows for the log has signed it. */
  | 'bad_signature'
  /** The caller's old size is not that of the last checkpoint that was cosigned. */
  | 'old_size'
  /** It is smaller than the last one: an older state of the log, or a late request. */
  | 'smaller'
  /** Its root is another one than that of the same size before: the log shows two views. */
  | 'split_view'
  /** The proof does not show that its tree begins with the one that was cosigned last: it may be the proof that is wrong. */
  | 'inconsistent';

export type Answer =
  | {
      cosigned: true;
      /** The witness's signature line. */ line: string;
      /** The whole note. */ note: string;
      size: number;
    }
  | {
      cosigned: false;
      refusal: Refusal;
      message: string;
      /** Size of the last cosigned checkpoint, where that matters. */ size: number | null;
    };

export interface WitnessObserver {
  onAnswer(log: string | null, result: 'cosigned' | Refusal, size: number | null): void;
}

export interface WitnessOptions {
  logs: ReadonlyMap<string, KnownLog>;
  key: WitnessKey;
  state: WitnessState;
  observer: WitnessObserver;
  logger: Logger;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/**
 * Cosigns checkpoints of the logs that it knows, as long as each continues the one before (c2sp.org/tlog-witness). For
 * one log it looks at one checkpoint at a time, and answers when what it saw is on the disk.
 */
export class Witness {
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(private readonly options: WitnessOptions) {}

  /** What was cosigned last of a log; of no leaves when nothing was. */
  last(log: string): { state: TreeState; cosigned: Cosigned | null } {
    const cosigned = this.options.state.of(log) ?? null;
    return { state: cosigned?.head ?? { size: 0, root: emptyRoot() }, cosigned };
  }

  /** @param body of an `add-checkpoint` request */
  async addCheckpoint(body: string): Promise<Answer> {
    try {
      const { oldSize, consistency, checkpoint } = parseAddCheckpoint(body);
      return await this.cosign(checkpoint, oldSize, consistency);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return this.refuse(null, 'malformed', error.message);
    }
  }

  /** @throws EvidenceError when the note is no signed checkpoint */
  async cosign(note: string, oldSize: number, consistency: readonly Uint8Array[]): Promise<Answer> {
    const checkpoint = parseCheckpointNote(note);
    const known = this.options.logs.get(checkpoint.head.log);
    if (known === undefined) {
      return this.refuse(
        null,
        'unknown_log',
        `This witness does not know the log ${printable(checkpoint.head.log)}.`,
      );
    }
    const verdicts = known.keys.map((key) => signatureBy(key, checkpoint).state);
    if (verdicts.includes('wrong') || !verdicts.includes('signed')) {
      return this.refuse(
        known.name,
        'bad_signature',
        `No key that this witness knows for ${known.name} has signed it.`,
      );
    }
    return this.inTurn(known.name, () => this.judged({ ...checkpoint, note }, known, oldSize, consistency));
  }

  private async judged(
    { head, note, ...signed }: SignedNote & { head: TreeHead; note: string },
    known: KnownLog,
    oldSize: number,
    consistency: readonly Uint8Array[],
  ): Promise<Answer> {
    const { state: last, cosigned } = this.last(known.name);
    if (oldSize > head.size) {
      return this.refuse(known.name, 'malformed', 'The old size is larger than that of the checkpoint.');
    }
    // Said before the sizes are compared: two roots of one size are what a witness is there for.
    if (cosigned !== null && head.size === last.size && !sameBytes(head.root, last.root)) {
      this.options.logger.error(
        { log: known.name, size: head.size, cosigned: cosigned.note, submitted: note },
        'the log shows two views: another root of the size that was cosigned',
      );
      return this.refuse(
        known.name,
        'split_view',
        `This witness has cosigned another root of ${known.name} at size ${head.size}.`,
        last.size,
      );
    }
    if (head.size < last.size) {
      return this.refuse(
        known.name,
        'smaller',
        `This witness has cosigned ${known.name} at size ${last.size}; ${head.size} is smaller.`,
        last.size,
      );
    }
    if (oldSize !== last.size) {
      return this.refuse(
        known.name,
        'old_size',
        `This witness has cosigned ${known.name} at size ${last.size}, not ${oldSize}.`,
        last.size,
      );
    }
    if (!isConsistent(last, head, consistency)) {
      // No proof of anything: whoever has a genuine checkpoint can submit it with a proof of their own making.
      this.options.logger.warn(
        { log: known.name, from: last.size, size: head.size },
        'a checkpoint was submitted without a proof that it continues the one that was cosigned',
      );
      return this.refuse(
        known.name,
        'inconsistent',
        `The proof does not show that the tree of ${head.size} leaves begins with the one of ${last.size} that this witness has cosigned.`,
      );
    }
    const { key, state, now = Date.now, observer } = this.options;
    const signature = key.cosign(signed.text, Math.floor(now() / 1_000));
    // Anyone can add further lines in the log's name.
    const byLog = signed.signatures.filter((one) => isBy(known.keys, signed.text, one));
    const whole = signedNote({ text: signed.text, signatures: [...byLog, signature] });
    if (Buffer.byteLength(whole) > MAX_NOTE_BYTES) {
      return this.refuse(known.name, 'malformed', `A checkpoint has at most ${MAX_NOTE_BYTES} bytes.`);
    }
    // The same tree again needs no write: what the cosignature says of it is on the disk.
    if (cosigned === null || head.size > last.size) await state.put(known.name, { head, note: whole });
    observer.onAnswer(known.name, 'cosigned', head.size);
    return { cosigned: true, line: signatureLine(signature), note: whole, size: head.size };
  }

  private refuse(log: string | null, refusal: Refusal, message: string, size: number | null = null): Answer {
    this.options.observer.onAnswer(log, refusal, null);
    return { cosigned: false, refusal, message, size };
  }

  /** Lets one job at a time run for a log, in the order in which they came. */
  private async inTurn<T>(log: string, job: () => Promise<T>): Promise<T> {
    const before = this.turns.get(log);
    const turn = (before ?? Promise.resolve()).then(job);
    const settled = turn.catch(() => undefined);
    this.turns.set(log, settled);
    try {
      return await turn;
    } finally {
      if (this.turns.get(log) === settled) this.turns.delete(log);
    }
  }
}

function isBy(keys: readonly NoteKey[], text: string, signature: NoteSignature): boolean {
  return keys.some((key) => signatureBy(key, { text, signatures: [signature] }).state === 'signed');
}
