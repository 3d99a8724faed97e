import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  type KeyObject,
} from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type SignerPurpose } from '#evidence';
import { syncFolder } from '#platform/process';
import { SignerError, reasonOf } from '../signer.error';
import { type KeyRequest } from '../signing-backend';

export interface LoadedKey {
  kid: string;
  purposes: SignerPurpose[];
  createdAt: string;
  privateKey: KeyObject;
  publicKeyPem: string;
}

/** Contents of a key file. It records the purposes with the key, so that configuration alone cannot widen them. */
const KeyFile = z.strictObject({
  v: z.literal(1),
  kid: z.string(),
  algorithm: z.literal('ed25519'),
  purposes: z.array(z.enum(['audit', 'manifest', 'checkpoint'])).min(1),
  createdAt: z.iso.datetime(),
  privateKeyPem: z.string(),
});

/** Bits of group and others: a private key is only for its owner. */
const NOT_OWNER = 0o077;

export function keyFilePath(dir: string, kid: string): string {
  return join(dir, `${kid}.key.json`);
}

/** Makes the folder (0700) or checks that only the caller has access to it. */
export async function ensureKeyFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const stat = await lstat(dir);
  if (!stat.isDirectory()) throw refused(dir, 'is not a folder');
  checkOwnerOnly(dir, stat, '0700');
}

/** Loads the key of this kid, or makes it when its file does not exist yet. */
export async function loadOrCreateKey(dir: string, request: KeyRequest, now: Date): Promise<LoadedKey> {
  const path = keyFilePath(dir, request.kid);
  return (await loadKey(path, request)) ?? (await createKey(dir, path, request, now));
}

/** Returns the key of this kid; null when there is no file. */
export function loadKeyOf(dir: string, request: KeyRequest): Promise<LoadedKey | null> {
  return loadKey(keyFilePath(dir, request.kid), request);
}

async function loadKey(path: string, request: KeyRequest): Promise<LoadedKey | null> {
  let handle;
  try {
    // O_NOFOLLOW: a link planted in the folder must not make us read a file from elsewhere.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return null;
    throw refused(
      path,
      code === 'ELOOP' ? 'is a symbolic link' : `cannot be read (${reasonOf(error)})`,
      error,
    );
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw refused(path, 'is not a regular file');
    checkOwnerOnly(path, stat, '0600');
    return parseKeyFile(path, await handle.readFile('utf8'), request);
  } finally {
    await handle.close();
  }
}

function parseKeyFile(path: string, text: string, request: KeyRequest): LoadedKey {
  let file: z.infer<typeof KeyFile>;
  let privateKey: KeyObject;
  try {
    file = KeyFile.parse(JSON.parse(text));
    privateKey = createPrivateKey(file.privateKeyPem);
  } catch (error) {
    // The parser's own message may quote the file, and the file is a private key: it is left out on purpose.
    throw refused(path, `is not a key file (${error instanceof Error ? error.name : 'unreadable'})`);
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') throw refused(path, 'does not hold an Ed25519 key');
  if (file.kid !== request.kid) throw refused(path, `holds key ${file.kid}, not ${request.kid}`);
  const missing = request.purposes.filter((purpose) => !file.purposes.includes(purpose));
  if (missing.length > 0) {
    throw refused(
      path,
      `was made for ${file.purposes.join(', ')} and may not be used for ${missing.join(', ')}`,
    );
  }
  return {
    kid: file.kid,
    purposes: request.purposes,
    createdAt: file.createdAt,
    privateKey,
    publicKeyPem: createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }).toString(),
  };
}

async function createKey(dir: string, path: string, request: KeyRequest, now: Date): Promise<LoadedKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const file: z.infer<typeof KeyFile> = {
    v: 1,
    kid: request.kid,
    algorithm: 'ed25519',
    purposes: request.purposes,
    createdAt: now.toISOString(),
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
  // Written aside and linked: a crash leaves no half key, and of two processes starting at once one wins.
  const draft = `${path}.${randomUUID()}.draft`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(file, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  await syncFolder(dir);
  const loaded = await loadKey(path, request);
  if (!loaded) throw refused(path, 'vanished while it was being created');
  return loaded;
}

function checkOwnerOnly(path: string, stat: { mode: number; uid: number }, wanted: string): void {
  if ((stat.mode & NOT_OWNER) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
    throw refused(
      path,
      `has mode ${mode}, so others than its owner can reach the key; if nobody did, run: chmod ${wanted} ${path}`,
    );
  }
  const uid = process.getuid?.();
  if (uid !== undefined && stat.uid !== uid) {
    throw refused(path, `belongs to user ${stat.uid}, but this process runs as user ${uid}`);
  }
}

function refused(path: string, what: string, cause?: unknown): SignerError {
  return new SignerError('key_refused', `${path} ${what}. The key is not used.`, { path }, { cause });
}
