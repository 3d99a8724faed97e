import { type FileHandle, open, unlink } from 'node:fs/promises';
import {
  base64Decode,
  canonicalize,
  importPublicKey,
  type JsonObject,
  parseCheckpointNote,
  parseStrictJson,
  signatureBy,
  type TreeHead,
  verifyEd25519,
} from '#evidence';
import { replaceFile } from '#platform/process';
import { type WitnessKey } from '../key/witness-key';
import { WitnessFolderError } from '../witness-folder.error';
import { lockFile } from './folder-lock';

/** What the witness cosigned last of a log. */
export interface Cosigned {
  head: TreeHead;
  /** The signed note, with the log's signature and the witness's. */
  note: string;
}

export const STATE_FORMAT = 'illuvrse-kernel/witness-state/v1';
/** Logs that a witness knows; each checkpoint rewrites the state of all of them. */
export const MAX_LOGS = 1_024;
/** Largest checkpoint that is cosigned, with the signatures of the log and the witness. */
export const MAX_NOTE_BYTES = 4_096;
/** The largest checkpoint of each log and its name, which is in there too; JSON writes some bytes as two. */
const MAX_STATE_BYTES = MAX_LOGS * 2 * (MAX_NOTE_BYTES + MAX_NOTE_BYTES) + 4_096;

/**
 * The last checkpoint that the witness cosigned of each log, in one file that its key has sealed. Losing it, or going
 * back to an older copy, would let a log show another view to the same witness; so a file that is missing, cut or
 * changed is refused, and one that is in use too.
 */
export class WitnessState {
  private writing: Promise<void> | undefined;
  private waiting: Promise<void> | undefined;

  private constructor(
    private readonly path: string,
    private readonly key: WitnessKey,
    private readonly lock: FileHandle,
    private readonly logs: Map<string, Cosigned>,
  ) {}

  /** Makes the state of a witness that has cosigned nothing. @throws WitnessFolderError `state_refused`, `in_use` */
  static async create(path: string, key: WitnessKey): Promise<void> {
    const lock = await lockFile(`${path}.lock`);
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        await file.close();
        await replaceFile(path, sealed(key, new Map()));
      } catch (error) {
        // An empty file would be in the way of another attempt.
        await unlink(path);
        throw error;
      }
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new WitnessFolderError(
        'state_refused',
        code === 'EEXIST' ? `${path} exists and is not overwritten.` : `${path} cannot be made (${code}).`,
        { path },
        { cause },
      );
    } finally {
      await lock.close();
    }
  }

  /** Takes the lock and reads the file. @throws WitnessFolderError `state_refused`, `in_use` */
  static async open(path: string, key: WitnessKey): Promise<WitnessState> {
    const lock = await lockFile(`${path}.lock`);
    try {
      return new WitnessState(path, key, lock, unsealed(path, key, await textOf(path)));
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  of(log: string): Cosigned | undefined {
    return this.logs.get(log);
  }

  /** Settles when the checkpoint is on the disk: only then may its cosignature leave the witness. */
  async put(log: string, cosigned: Cosigned): Promise<void> {
    const before = this.logs.get(log);
    if (before === undefined && this.logs.size >= MAX_LOGS) {
      throw new WitnessFolderError('state_refused', `The state has ${MAX_LOGS} logs, which is the most.`);
    }
    this.logs.set(log, cosigned);
    try {
      await this.durable();
    } catch (cause) {
      // What is on the disk may be either; the cosignature does not leave, so both are true.
      if (before === undefined) this.logs.delete(log);
      else this.logs.set(log, before);
      throw cause;
    }
  }

  async close(): Promise<void> {
    await this.durable().catch(() => undefined);
    await this.lock.close();
  }

  /** One write at a time; all who come while one is under way share the next. */
  private durable(): Promise<void> {
    if (this.writing === undefined) {
      this.writing = replaceFile(this.path, sealed(this.key, this.logs)).finally(
        () => (this.writing = undefined),
      );
      return this.writing;
    }
    this.waiting ??= this.writing
      .catch(() => undefined)
      .then(() => {
        this.waiting = undefined;
        return this.durable();
      });
    return this.waiting;
  }
}

function sealed(key: WitnessKey, logs: ReadonlyMap<string, Cosigned>): string {
  const state: JsonObject = {
    format: STATE_FORMAT,
    witness: key.vkey,
    logs: Object.fromEntries([...logs].map(([log, { note }]) => [log, note])),
  };
  const seal = key.seal(STATE_FORMAT, Buffer.from(canonicalize(state)));
  return `${canonicalize({ ...state, seal: Buffer.from(seal).toString('base64') })}\n`;
}

async function textOf(path: string): Promise<string> {
  try {
    const handle = await open(path, 'r');
    try {
      if ((await handle.stat()).size > MAX_STATE_BYTES) throw refuse(path, 'is larger than any state');
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof WitnessFolderError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw refuse(path, code === 'ENOENT' ? 'is missing' : `cannot be read (${code})`, cause);
  }
}

function unsealed(path: string, key: WitnessKey, text: string): Map<string, Cosigned> {
  if (text === '') throw refuse(path, 'is empty');
  let state: JsonObject;
  try {
    state = parseStrictJson(text) as JsonObject;
  } catch (cause) {
    throw refuse(path, 'is cut off or changed: it is no JSON', cause);
  }
  const { seal, ...rest } = state;
  if (rest['format'] !== STATE_FORMAT) throw refuse(path, `is not in the format ${STATE_FORMAT}`);
  if (rest['witness'] !== key.vkey) throw refuse(path, `is of another witness than ${key.vkey}`);
  const signature = typeof seal === 'string' ? base64Decode(seal) : null;
  const input = Buffer.concat([Buffer.from(`${STATE_FORMAT}\n`), Buffer.from(canonicalize(rest))]);
  if (signature === null || !verifyEd25519(importPublicKey(key.publicKey.raw), input, signature)) {
    throw refuse(path, 'was changed: the seal of the witness does not fit');
  }
  const logs = new Map<string, Cosigned>();
  for (const [log, note] of Object.entries(rest['logs'] as Record<string, string>)) {
    const checkpoint = parseCheckpointNote(note);
    // The seal says it already; this is what the file is about.
    if (checkpoint.head.log !== log || signatureBy(key.publicKey, checkpoint).state !== 'signed') {
      throw refuse(path, `has a checkpoint of ${log} that this witness did not cosign`);
    }
    logs.set(log, { head: checkpoint.head, note });
  }
  return logs;
}

function refuse(path: string, what: string, cause?: unknown): WitnessFolderError {
  return new WitnessFolderError(
    'state_refused',
    `The state of the witness, ${path}, ${what}. Without it the witness could cosign a second view of a log: put the newest copy back if nothing was cosigned since, or make a new witness with a key of its own (docs/witness.md).`,
    { path },
    { cause },
  );
}
