import { mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createWitnessKey } from './key/witness-key';
import { WitnessState } from './state/witness-state';
import { witnessFiles } from './witness-files';

const LOGS = `# The logs that this witness cosigns, one line for each key: log <vkey> [<url to follow>]
`;

/**
 * Makes the folder of a new witness: its key, its state, and a list of logs to fill in.
 * @returns the witness's vkey, for those who are to trust it
 * @throws WitnessFolderError when the folder has a witness already
 */
export async function createWitness(dir: string, name: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const files = witnessFiles(dir);
  const key = await createWitnessKey(files.key, name);
  try {
    await WitnessState.create(files.state, key);
  } catch (error) {
    // A key without a state is of no use, and in the way of another attempt.
    await unlink(files.key);
    throw error;
  }
  const logs = await open(join(dir, 'logs'), 'a', 0o644);
  try {
    if ((await logs.stat()).size === 0) await logs.writeFile(LOGS);
  } finally {
    await logs.close();
  }
  return key.vkey;
}
