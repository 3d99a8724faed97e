import { readFile } from 'node:fs/promises';
import { DevstackError } from '../devstack.error';

/**
 * Reads a JSON file of secrets that an earlier start has made; undefined when there is none.
 * @param what follows "cannot be read as", such as "the passwords of the database"
 * @throws DevstackError `state_broken` when a member is missing or empty: what it opens is never made again silently
 */
export async function readSecrets<const Member extends string>(
  file: string,
  members: readonly Member[],
  what: string,
): Promise<Record<Member, string> | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    const found = JSON.parse(text) as Partial<Record<Member, unknown>>;
    const secrets = {} as Record<Member, string>;
    for (const member of members) {
      const value = found[member];
      if (typeof value !== 'string' || value === '') throw new Error(`${member} is missing`);
      secrets[member] = value;
    }
    return secrets;
  } catch (cause) {
    // Not the parser's message: it quotes the file.
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new DevstackError(
      'state_broken',
      `${file} cannot be read as ${what}${code === undefined ? '' : ` (${code})`}; restore it, or choose another folder with --state.`,
      { file },
      { cause },
    );
  }
}
