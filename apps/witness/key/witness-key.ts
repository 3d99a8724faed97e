import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  base64Decode,
  cosignatureInput,
  noteKeyHash,
  noteKeyText,
  type NoteKey,
  type NoteSignature,
  timestampedSignature,
} from '#evidence';
import { syncFolder } from '#platform/process';
import { WitnessFolderError } from '../witness-folder.error';

/** The key of a witness, which stays inside: it makes cosignatures and seals the state, and signs nothing else. */
export class WitnessKey {
  readonly #privateKey: KeyObject;

  constructor(
    readonly publicKey: NoteKey,
    privateKey: KeyObject,
  ) {
    this.#privateKey = privateKey;
  }

  /** The text by which others know it. */
  get vkey(): string {
    return noteKeyText(this.publicKey);
  }

  /** @param text of a checkpoint that is consistent with all that this witness has cosigned @param time POSIX seconds */
  cosign(text: string, time: number): NoteSignature {
    const { name, raw, type } = this.publicKey;
    const signature = sign(null, cosignatureInput(time, text), this.#privateKey);
    return {
      name,
      keyHash: noteKeyHash(name, raw, type),
      signature: timestampedSignature({ time, signature }),
    };
  }

  /** Signs the witness's own state; `domain` keeps that apart from every cosignature. */
  seal(domain: string, bytes: Uint8Array): Uint8Array {
    return sign(null, Buffer.concat([Buffer.from(`${domain}\n`), bytes]), this.#privateKey);
  }
}

/** Bits of group and others: a private key is for its owner alone. */
const NOT_OWNER = 0o077;
/** The private key as Go's note package writes it, with the kind of key that cosigns. */
const KEY_FILE = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})\n$/;
const COSIGNATURE = 0x04;
const SEED_BYTES = 32;
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Makes a key of this name in a new file with mode 0600. @throws WitnessFolderError `key_refused` */
export async function createWitnessKey(path: string, name: string): Promise<WitnessKey> {
  const seed = randomBytes(SEED_BYTES);
  const key = keyOf(name, seed);
  let vkey: string;
  try {
    vkey = key.vkey;
  } catch (cause) {
    throw new WitnessFolderError('key_refused', (cause as Error).message, {}, { cause });
  }
  const hash = vkey.split('+')[1];
  const bytes = Buffer.concat([Buffer.of(COSIGNATURE), seed]).toString('base64');
  let handle;
  try {
    handle = await open(path, 'wx', 0o600);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new WitnessFolderError(
      'key_refused',
      code === 'EEXIST'
        ? `${path} exists: this folder has a witness already. A second key is made in a folder of its own.`
        : `${path} cannot be made (${code}).`,
      { path },
      { cause },
    );
  }
  try {
    await handle.writeFile(`PRIVATE+KEY+${name}+${hash}+${bytes}\n`);
    await handle.sync();
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await handle.close();
  }
  await syncFolder(dirname(path));
  return key;
}

/** Reads the key. @throws WitnessFolderError `key_refused`, never with a part of the file */
export async function loadWitnessKey(path: string): Promise<WitnessKey> {
  const refuse = (what: string, cause?: unknown) =>
    new WitnessFolderError('key_refused', `The key of the witness, ${path}, ${what}.`, { path }, { cause });
  let text: string;
  try {
    const handle = await open(path, 'r');
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw refuse('is no file');
      if ((stat.mode & NOT_OWNER) !== 0) {
        throw refuse(`can be read by others than its owner; if nobody did, run: chmod 0600 ${path}`);
      }
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof WitnessFolderError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw refuse(
      code === 'ENOENT' ? 'is missing; ./kernel witness init makes one' : `cannot be read (${code})`,
      cause,
    );
  }
  const [, name, hash, base64] = KEY_FILE.exec(text) ?? [];
  const bytes = base64 === undefined ? null : base64Decode(base64);
  if (name === undefined || bytes?.[0] !== COSIGNATURE || bytes.length !== 1 + SEED_BYTES) {
    throw refuse('is no key for cosignatures, PRIVATE+KEY+<name>+<hash>+<base64>');
  }
  const key = keyOf(name, bytes.subarray(1));
  if (key.vkey.split('+')[1] !== hash) throw refuse('has a hash that is not that of its name and key');
  return key;
}

function keyOf(name: string, seed: Uint8Array): WitnessKey {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const raw = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(12);
  return new WitnessKey({ name, type: 'cosignature/v1', raw }, privateKey);
}
