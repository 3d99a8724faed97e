import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../cli.error';
import { type Connection } from './connection';
import { KernelApiClient } from './kernel-api.client';

/**
 * Fetches the trust root of a kernel, where nobody named one.
 * @param folder where the file is written, for its owner alone
 * @returns the file
 */
export async function fetchSigners(connection: Connection, folder: string): Promise<string> {
  const file = join(folder, 'signers.json');
  const client = new KernelApiClient(connection);
  try {
    await writeFile(file, await client.get('/kernel/keys/signers.json'), { mode: 0o600 });
    return file;
  } catch (error) {
    if (error instanceof CliError && error.code === 'unreachable') {
      throw new CliError(
        'unreachable',
        `${error.message} Or name a signers.json with --signers.`,
        {},
        { cause: error },
      );
    }
    throw error;
  } finally {
    await client.close();
  }
}
