import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** What a build says of itself; scripts/prepare.mjs writes it. */
export interface BuildRecord {
  version: string;
  /** Name of the content of all sources. */
  digest: string;
  /** Null where there was no git. */
  commit: string | null;
  /** There were changes on top of the commit. */
  changed: boolean;
  builtAt: string;
}

let found: string | undefined;

/**
 * The folder that this program was loaded from, with apps/, libs/, openapi/ and tools/ of one state: a build, or the work
 * tree where tests run from the sources.
 */
export function programFolder(): string {
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

/** The folder that developers edit, with sources and node_modules. A build elsewhere (in an image) is its own. */
export function workTree(): string {
  const folder = programFolder();
  const builds = dirname(folder);
  return basename(builds) === 'builds' && basename(dirname(builds)) === '.build'
    ? dirname(dirname(builds))
    : folder;
}

/**
 * A variable for the processes of a build: where they keep what V8 has compiled. Compiling the same libraries again is
 * half of the time of a start.
 */
export function compileCache(): { NODE_COMPILE_CACHE: string } {
  return { NODE_COMPILE_CACHE: join(workTree(), '.build', 'compile-cache') };
}

/** The build that this program is part of; undefined where it runs from the sources. */
export function runningBuild(): BuildRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(programFolder(), 'build.json'), 'utf8')) as BuildRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What scripts/builds.mjs of a build does for the program; bare Node.js runs it as well. */
interface Builds {
  sourceDigest(root: string): string;
  hold(folder: string, what: string): void;
}

async function builds(): Promise<Builds> {
  return (await import(join(programFolder(), 'scripts', 'builds.mjs'))) as Builds;
}

/** Keeps the folder of the running build as long as this process lives. */
export async function holdBuild(what: string): Promise<void> {
  if (programFolder() !== workTree()) (await builds()).hold(programFolder(), what);
}

/** Whether the sources of a work tree differ from those of a build; false where there are none to compare. */
export async function movedOnSince(build: BuildRecord): Promise<boolean> {
  return programFolder() !== workTree() && (await builds()).sourceDigest(workTree()) !== build.digest;
}
