import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseSignersFile, samePublicKey, type SignerEntry, type SignersFile, signersJson } from '#evidence';
import { CliError } from '../../cli.error';

/**
 * Brings a signers.json up to date with the registry: status and times as the kernel has them now. Keys that only the
 * file knows stay, since evidence that they signed must remain verifiable; so does what people noted about a key.
 * @returns the kids that are new in it
 * @throws CliError when the file is another kernel's, has another public key under a registered name, or a registered key
 * under another name
 */
export async function updateSignersFile(path: string, registry: SignersFile): Promise<string[]> {
  const old = await readSigners(path);
  if (old?.origin !== undefined && old.origin !== registry.origin) {
    throw new CliError(
      'file_problem',
      `${path} belongs to ${old.origin}, not to ${registry.origin}; name another file.`,
    );
  }
  for (const member of ['shards', 'approverPool'] as const) {
    const [before, now] = [old?.[member], registry[member]].map((value) => JSON.stringify(value));
    if (before === undefined || now === undefined || before === now) continue;
    throw new CliError(
      'file_problem',
      `${path} says ${member} ${before}, and the kernel says ${now}; both are fixed at the founding, so find out which of the two is right before you trust either.`,
    );
  }
  const known = new Map(old?.signers.map((entry) => [entry.signer_kid, entry]));
  const merged: SignerEntry[] = [];
  for (const entry of registry.signers) {
    const before = known.get(entry.signer_kid);
    if (before !== undefined && !samePublicKey(before.public_key_pem, entry.public_key_pem)) {
      throw new CliError(
        'file_problem',
        `${path} has another public key for ${entry.signer_kid} than the kernel; find out which of the two is right before you trust either.`,
      );
    }
    merged.push(before === undefined ? entry : { ...entry, description: before.description });
  }
  const registered = new Set(registry.signers.map(({ signer_kid }) => signer_kid));
  const kept = old?.signers.filter(({ signer_kid }) => !registered.has(signer_kid)) ?? [];
  for (const { signer_kid, public_key_pem } of kept) {
    const same = merged.find((one) => samePublicKey(one.public_key_pem, public_key_pem));
    if (same === undefined) continue;
    throw new CliError(
      'file_problem',
      `${path} has the public key of ${same.signer_kid} under the name ${signer_kid}, and a key has one name; remove that entry.`,
    );
  }
  // What the kernel does not say (whose cosignatures are needed) stays as people wrote it.
  const { shards, approverPool, log } = { ...old, ...registry };
  const more = {
    ...(shards !== undefined && { shards }),
    ...(approverPool !== undefined && { approverPool }),
    ...(log !== undefined && { log }),
  };
  await replace(path, signersJson([...kept, ...merged], registry.origin, more));
  return merged.map(({ signer_kid }) => signer_kid).filter((kid) => !known.has(kid));
}

async function readSigners(path: string): Promise<SignersFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CliError(
      'file_problem',
      `${path} cannot be read: ${(error as Error).message}.`,
      {},
      { cause: error },
    );
  }
  try {
    return parseSignersFile(text);
  } catch (error) {
    throw new CliError(
      'file_problem',
      `${path} is no signers.json: ${(error as Error).message}`,
      {},
      { cause: error },
    );
  }
}

/** Replaces the file whole or not at all: a verifier may read it at any moment. */
async function replace(path: string, text: string): Promise<void> {
  const draft = join(dirname(path), `.signers-${process.pid}.json`);
  try {
    await writeFile(draft, text, { mode: 0o644 });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw new CliError(
      'file_problem',
      `${path} cannot be written: ${(error as Error).message}.`,
      {},
      { cause: error },
    );
  }
}
