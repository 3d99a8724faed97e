import { type Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readEnvironmentFile } from '#dev/devstack';
import { secretsOfSetting } from './redact';

const MAX_FILES = 2_000;
const MAX_BYTES = 64 * 1024;
/** What is data, not secrets, and large. */
const DATA = new Set(['logs', 'archive', 'data', 'buckets', 'kafka', 'signing-marks', 'objects', 'iam']);
const PUBLIC = /\.(pem|crl|log|pid)$|^(state|run)\.json/;

/** Everything secret that lies in a state folder: keys, passwords, tokens, in the forms in which they could be repeated. */
export async function secretsIn(folder: string): Promise<string[]> {
  const secrets: string[] = [];
  const folders = [folder];
  let files = 0;
  for (let dir = folders.pop(); dir !== undefined; dir = folders.pop()) {
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => [] as Dirent[]);
    for (const entry of entries) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) {
        if (!DATA.has(entry.name)) folders.push(path);
      } else if (entry.isFile() && !PUBLIC.test(entry.name) && files < MAX_FILES) {
        files += 1;
        secrets.push(...(await secretsOfFile(path)));
      }
    }
  }
  return secrets;
}

/** @returns nothing for a file that cannot be read or is too large for a secret */
export async function secretsOfFile(path: string): Promise<string[]> {
  try {
    if ((await stat(path)).size > MAX_BYTES) return [];
    if (path.endsWith('.env')) {
      return Object.entries(await readEnvironmentFile(path)).flatMap(([name, value]) =>
        secretsOfSetting(name, value),
      );
    }
    const bytes = await readFile(path);
    const text = bytes.toString('utf8');
    if (path.endsWith('.json')) return stringsIn(JSON.parse(text));
    // Keys in PEM or base64 by lines, others as a whole; also in the other spellings of binary keys.
    const lines = text.split(/\r?\n/).filter((line) => line.length >= 16 && !line.startsWith('-----'));
    return [text.trim(), ...lines, bytes.toString('base64'), bytes.toString('hex')];
  } catch {
    return [];
  }
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(stringsIn);
}
