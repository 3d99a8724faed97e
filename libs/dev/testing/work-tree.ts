import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** The folder that holds package.json, dist/ and openapi/, found from the source and from dist/ alike. */
export function workTree(): string {
  for (let dir = __dirname; ; dir = dirname(dir)) {
    try {
      const { name } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { name?: string };
      if (name === 'illuvrse-kernel') return dir;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    if (dir === dirname(dir)) throw new Error(`no package.json of illuvrse-kernel above ${__dirname}`);
  }
}

let built: Promise<unknown> | undefined;

/** Whole processes run from dist/: builds it when the sources changed since (milliseconds when not). */
export async function ensureBuilt(): Promise<void> {
  built ??= promisify(execFile)(process.execPath, [join(workTree(), 'scripts', 'prepare.mjs')]);
  await built;
}
