// Brings node_modules to what package-lock.json says. Bare Node.js only: it runs before anything is installed.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { contentOf, holders, sizeOf } from './builds.mjs';
import { tellProgress } from './progress.mjs';
import { PrepareError, runLogged } from './run-logged.mjs';

/** A name for the packages to install. Native parts are for one platform; the same tree may be mounted on another. */
export function packagesDigest(root) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
    hash.update(contentOf(join(root, file)));
  }
  return hash.digest('hex');
}

/**
 * @param stream where progress is reported
 * @param note file that says what is installed
 * @param allowed whether packages may be replaced
 */
export async function installPackages(root, stream, { note, allowed }) {
  if (installedAsLocked(root)) return;
  if (!allowed) {
    throw new PrepareError('node_modules is not what package-lock.json says; run npm ci, or ./kernel test.');
  }
  assertNobodyNeedsThem(root);
  // After an interruption the note is missing, and the next call installs again.
  rmSync(note, { force: true });
  const say = (line) => stream.write(`kernel: ${line}\n`);
  const started = performance.now();
  const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`;
  const wanted = lockedPackages(root);
  const there = () => wanted.filter((path) => existsSync(join(root, path, 'package.json'))).length;
  say('installing packages (first start, or package-lock.json changed; about a minute)');
  const done = tellProgress(stream, () => {
    const count = there();
    // Packages for another C library are never installed, so the count may stop short of the total.
    return `installing packages: ${count} of about ${wanted.length}, ${seconds()}`;
  });
  try {
    await runLogged(root, 'npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
      log: join(root, '.build', 'install.log'),
      failed: 'npm ci failed',
      env: await machineNpmSettings(),
    });
  } finally {
    done();
  }
  const megabytes = Math.round(sizeOf(join(root, 'node_modules')) / 1e6);
  say(`installed ${there()} packages, ${megabytes} MB, in ${seconds()}`);
}

/**
 * npm derives the path of its global configuration from the node that runs it. Run by a Node.js that npx fetched, it
 * would miss the machine's own, and with it a mirror, a proxy or a `cafile`. So the machine's npm is asked where
 * its configuration is before it is run by another node.
 */
async function machineNpmSettings() {
  const settings = {};
  for (const name of ['globalconfig', 'userconfig']) {
    // Not from this folder: its own .npmrc is read anyway.
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', name], { cwd: '/' }).catch(
      (error) => {
        throw new PrepareError(`npm does not report its configuration: ${error.message.trim()}`);
      },
    );
    settings[`npm_config_${name}`] = stdout.trim();
  }
  return settings;
}

/** Packages are loaded when they are first needed: removing them breaks running processes. */
function assertNobodyNeedsThem(root) {
  if (!existsSync(join(root, 'node_modules'))) return;
  const others = holders(root).filter(({ pid }) => pid !== process.pid);
  if (others.length === 0) return;
  const named = others.map(({ pid, what }) => `\`${what}\` (process ${pid})`).join(', ');
  throw new PrepareError(
    `package-lock.json has changed, but the packages that are installed are still used by ${named}; stop it (./kernel down) and call again.`,
  );
}

/**
 * Whether node_modules holds what the lock file says, according to npm's own record: after `npm install` no one has to
 * wait for another installation. Only optional packages (other platforms' parts) may be missing.
 */
function installedAsLocked(root) {
  try {
    const packagesOf = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
    const locked = packagesOf('package-lock.json');
    const installed = packagesOf(join('node_modules', '.package-lock.json'));
    const same = (path) =>
      locked[path] !== undefined &&
      existsSync(join(root, path)) &&
      locked[path].version === installed[path].version &&
      locked[path].integrity === installed[path].integrity;
    return (
      Object.keys(installed).every(same) &&
      Object.keys(locked).every((path) => path === '' || path in installed || locked[path].optional === true)
    );
  } catch {
    return false;
  }
}

/** The folders of the locked packages that are for this platform. */
function lockedPackages(root) {
  try {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    const fits = ({ os, cpu }) => allows(os, process.platform) && allows(cpu, process.arch);
    return Object.keys(packages).filter((path) => path !== '' && fits(packages[path]));
  } catch {
    // npm reports what is wrong with it.
    return [];
  }
}

/** Matches `os` or `cpu` of a package.json: a list of names, or of excluded names with `!`. */
function allows(list, value) {
  if (list === undefined) return true;
  return list.some((name) => name.startsWith('!')) ? !list.includes(`!${value}`) : list.includes(value);
}
