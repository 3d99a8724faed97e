// Brings node_modules and the newest build up to the sources. Bare Node.js only: it runs before anything is installed.
// It compares content, so that a second call costs milliseconds. Simultaneous calls wait for each other.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  buildFolder,
  contentOf,
  hold,
  newestBuild,
  removeOldBuilds,
  sourceDigest,
  switchTo,
} from './builds.mjs';
import { installPackages, packagesDigest } from './install-packages.mjs';
import { PrepareError, runLogged } from './run-logged.mjs';
import { withLock } from './work-lock.mjs';

/** Attempts to build: sources that change this often while they are compiled will not settle. */
const BUILD_TRIES = 5;

/**
 * @param root the folder of the work tree
 * @param stream where slow steps are reported
 * @returns the folder of the build
 */
export async function prepare(root, stream, { install = true } = {}) {
  const say = (line) => stream.write(`kernel: ${line}\n`);
  const state = join(root, '.build');
  const packages = join(state, 'install');
  const installed = () => contentOf(packages).toString().trim() === packagesDigest(root);
  const current = buildFolder(root, sourceDigest(root));
  if (installed() && newestBuild(root) === current) return current;
  try {
    mkdirSync(join(state, 'builds'), { recursive: true });
  } catch (error) {
    throw new PrepareError(
      `cannot write to ${root} (${error.code}); it needs a place for node_modules and .build.`,
    );
  }
  return await withLock(join(state, 'lock'), say, async () => {
    if (!installed() || !existsSync(join(root, 'node_modules'))) {
      await installPackages(root, stream, { note: packages, allowed: install });
      writeFileSync(packages, `${packagesDigest(root)}\n`);
    }
    const folder = await build(root, say);
    switchTo(root, folder);
    removeOldBuilds(root);
    return folder;
  });
}

async function build(root, say) {
  for (let tries = 0; tries < BUILD_TRIES; tries += 1) {
    const digest = sourceDigest(root);
    const folder = buildFolder(root, digest);
    if (existsSync(folder)) return folder;
    if (tries === 0) say('building');
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    try {
      await runLogged(root, process.execPath, [join(root, 'scripts', 'build.mjs'), partial], {
        log: join(root, '.build', 'build.log'),
        failed: 'the build failed',
        lines: 40,
      });
      writeFileSync(join(partial, 'build.json'), `${JSON.stringify(describeBuild(root, digest), null, 2)}\n`);
      // The build may or may not contain a source that was edited meanwhile: its name would be wrong.
      if (sourceDigest(root) !== digest) continue;
      renameSync(partial, folder);
      return folder;
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  }
  throw new PrepareError('the sources change while they are built; try again when they no longer change.');
}

/** Description of a build (./kernel --version, ./kernel status). */
function describeBuild(root, digest) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return { version, digest, ...commitOf(root), builtAt: new Date().toISOString() };
}

/** The commit that is checked out, and whether there are changes on top of it; null where there is no git. */
function commitOf(root) {
  // The folder may be inside another repository.
  if (!existsSync(join(root, '.git'))) return { commit: null, changed: false };
  const git = (...args) =>
    execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const changes = git('--no-optional-locks', 'status', '--porcelain');
    return { commit: git('rev-parse', 'HEAD').trim(), changed: changes !== '' };
  } catch {
    return { commit: null, changed: false };
  }
}

// `node scripts/prepare.mjs`: for people who only build, and for tests that start whole processes. It prints the folder
// of the build, and keeps it for the process that asked.
if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  try {
    // A test run uses the installed packages: they are not replaced under it.
    const install = !process.argv.includes('--no-install');
    const folder = await prepare(join(import.meta.dirname, '..'), process.stderr, { install });
    hold(folder, 'scripts/prepare.mjs', process.ppid);
    process.stdout.write(`${folder}\n`);
  } catch (error) {
    if (!(error instanceof PrepareError)) throw error;
    process.stderr.write(`kernel: ${error.message}\n`);
    process.exitCode = 1;
  }
}
