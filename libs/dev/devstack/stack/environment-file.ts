import { readFile } from 'node:fs/promises';
import { writePrivate } from '../certificates/private-file';

/** A line of a file in shell syntax: a comment, or a variable with its value. */
export type EnvironmentLine = { comment: string } | { name: string; value: string };

/**
 * Writes `NAME=value` lines, quoted where a POSIX shell needs it. Without `export`, so that other readers of such files
 * (container runtimes, systemd) take them too; `set -a` exports them.
 */
export async function writeEnvironmentFile(file: string, lines: readonly EnvironmentLine[]): Promise<void> {
  const text = lines.map((line) =>
    'comment' in line ? `# ${line.comment}` : `${line.name}=${quote(line.value)}`,
  );
  await writePrivate(file, `${text.join('\n')}\n`);
}

/** The variables of a file that `writeEnvironmentFile` wrote. */
export async function readEnvironmentFile(file: string): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const match = /^([A-Z0-9_]+)=(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) variables[match[1]] = unquote(match[2]);
  }
  return variables;
}

function quote(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}

function unquote(text: string): string {
  return text.startsWith("'") ? text.slice(1, -1).replaceAll(`'\\''`, "'") : text;
}
