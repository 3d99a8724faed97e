import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

let found: string | undefined;

/** The folder that holds package.json, dist/, openapi/ and tools/. */
export function workTree(): string {
  for (let dir = __dirname; found === undefined; dir = dirname(dir)) {
    if (dir === dirname(dir)) throw new Error(`no package.json of illuvrse-kernel above ${__dirname}`);
    try {
      const { name } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { name?: string };
      if (name === 'illuvrse-kernel') found = dir;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return found;
}

/** Where state lives when nothing else is said: in the work tree, whatever folder the command is called from. */
export function defaultState(): string {
  return join(workTree(), '.kernel');
}
