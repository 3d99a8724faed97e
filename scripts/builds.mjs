// The builds of a work tree: `.build/builds/<digest>/`, one folder for each state of the sources, never changed once it
// exists. A process runs from the folder it was started in, whatever is built later; `dist` links to the newest one.
// Bare Node.js only. Each build contains this file, so that it can tell whether the work tree has changed since.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

/** The inputs of a build: the sources that are compiled, and the files that are copied. */
const INPUTS = [
  'apps',
  'libs',
  'test',
  'scripts',
  'openapi',
  'tools',
  '.swcrc',
  'tsconfig.json',
  'package.json',
  'package-lock.json',
];
/** Number of builds kept although nothing runs from them: returning to an earlier state of the sources is then free. */
const KEPT = 3;
/** V8's code cache has entries for every build that ever ran; above this size it starts again empty. */
const COMPILE_CACHE_LIMIT = 256 * 2 ** 20;

/** A name for the content of the sources. 64 bits suffice to tell builds apart, and keep a stack trace readable. */
export function sourceDigest(root) {
  return digestOfFiles(root, INPUTS, /\.(spec|fixture|d)\.ts$/).slice(0, 16);
}

/**
 * SHA-256 in hex of the names and contents of files.
 * @param inputs files, and folders with everything below them, relative to the root
 * @param skipped names of files that do not count
 * @param first what else they depend on
 */
export function digestOfFiles(root, inputs, skipped, first = '') {
  const hash = createHash('sha256').update(first);
  for (const input of inputs) {
    for (const file of filesOf(join(root, input), skipped)) {
      hash
        .update(`${relative(root, file)}\0`)
        .update(contentOf(file))
        .update('\0');
    }
  }
  return hash.digest('hex');
}

function filesOf(path, skipped) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !skipped.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** The content of a file. One that vanished while the tree is edited counts as empty; the digest changes anyway. */
export function contentOf(file) {
  try {
    return readFileSync(file);
  } catch {
    return '';
  }
}

export function buildFolder(root, digest) {
  return join(root, '.build', 'builds', digest);
}

/** The newest build, or undefined when there is none that can run. */
export function newestBuild(root) {
  try {
    const folder = buildFolder(root, basename(readlinkSync(join(root, 'dist'))));
    // While packages are being installed, and after an interrupted installation, there is no note of them.
    const whole = [folder, join(root, 'node_modules'), join(root, '.build', 'install')].every((path) =>
      existsSync(path),
    );
    return whole ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Makes a build the newest one. */
export function switchTo(root, folder) {
  touch(folder);
  const link = join(root, 'dist');
  const made = join(root, '.build', `dist.${process.pid}`);
  rmSync(made, { force: true });
  symlinkSync(relative(root, folder), made);
  // A folder of an earlier version of this script; a link, unlike a file, cannot replace it.
  if (lstatSync(link, { throwIfNoEntry: false })?.isDirectory()) rmSync(link, { recursive: true });
  renameSync(made, link);
}

/**
 * Notes that a process runs from a build, so that the folder stays as long as the process lives.
 * @param what the command, for messages about the holders of a build
 */
export function hold(folder, what, pid = process.pid) {
  const file = join(holdersFolder(dirname(dirname(dirname(folder)))), String(pid));
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${basename(folder)}\n${startOf(pid)}\n${what}\n`);
    touch(folder);
  } catch (error) {
    // Where this account cannot write, it cannot build either, but commands that only read must work.
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
  }
  if (pid === process.pid) process.once('exit', () => rmSync(file, { force: true }));
}

/** The running processes that were started from builds of this work tree. */
export function holders(root) {
  const folder = holdersFolder(root);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const pid = Number(name);
    const [digest, start, what] = contentOf(join(folder, name)).toString().split('\n');
    if (startOf(pid) === start) return [{ pid, digest, what }];
    rmSync(join(folder, name), { force: true });
    return [];
  });
}

/** Notes when a build was last used: the oldest are removed first. */
function touch(folder) {
  utimesSync(folder, new Date(), new Date());
}

function holdersFolder(root) {
  return join(root, '.build', 'in-use');
}

/** Removes the remains of interrupted builds, and old builds that nothing runs from. */
export function removeOldBuilds(root) {
  const builds = join(root, '.build', 'builds');
  const held = new Set(holders(root).map(({ digest }) => digest));
  for (const name of readdirSync(builds).filter((entry) => entry.includes('.'))) {
    rmSync(join(builds, name), { recursive: true, force: true });
  }
  const usedAt = (digest) => statSync(join(builds, digest)).mtimeMs;
  const whole = readdirSync(builds).sort((a, b) => usedAt(b) - usedAt(a));
  const old = whole.slice(KEPT).filter((digest) => !held.has(digest));
  for (const digest of old) {
    // Renamed first: half a folder must not pass for a build.
    renameSync(join(builds, digest), join(builds, `${digest}.removed`));
    rmSync(join(builds, `${digest}.removed`), { recursive: true, force: true });
  }
  if (old.length > 0 && sizeOf(join(root, '.build', 'compile-cache')) > COMPILE_CACHE_LIMIT) {
    rmSync(join(root, '.build', 'compile-cache'), { recursive: true, force: true });
  }
}

/** Total size of the files below a folder, in bytes. */
export function sizeOf(folder) {
  let bytes = 0;
  if (!existsSync(folder)) return bytes;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return bytes;
}

/**
 * Start time of a process, in a form to compare: after a reboot another process may have its id. Undefined when there
 * is no such process.
 */
function startOf(pid) {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    }
    // proc(5): the name in parentheses may contain blanks, so fields are counted after it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${started}`;
  } catch {
    return undefined;
  }
}
