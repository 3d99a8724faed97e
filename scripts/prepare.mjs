// Brings node_modules and dist/ up to date with the sources. Bare Node.js only: it runs before anything is installed.
// What was done is noted in .build/, by content, so that a second call costs milliseconds. Calls at the same time wait
// for each other.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The sources that dist/ is made of. */
const BUILD_INPUTS = ['apps', 'libs', 'test', 'scripts', '.swcrc', 'package.json', 'package-lock.json'];
/** The holder of the lock touches it this often; one that was not touched for a while was left by a crash. */
const HEARTBEAT_MS = 2_000;
const STALE_AFTER_MS = 30_000;

export class PrepareError extends Error {}

/**
 * @param root the folder of the work tree
 * @param say is told in one line what takes time
 */
export async function prepare(root, say) {
  const state = join(root, '.build');
  const wanted = () => ({ install: installDigest(root), build: buildDigest(root) });
  if (upToDate(root, state, wanted())) return;
  try {
    mkdirSync(state, { recursive: true });
  } catch (error) {
    throw new PrepareError(
      `cannot write to ${root} (${error.code}); it needs a place for node_modules and dist.`,
    );
  }
  await withLock(join(state, 'lock'), say, async () => {
    const { install, build } = wanted();
    if (noted(state, 'install') !== install || !existsSync(join(root, 'node_modules'))) {
      rmSync(join(state, 'install'), { force: true });
      if (!installedAsLocked(root)) {
        say('installing dependencies (first start or package-lock.json changed; about a minute)');
        await run(
          root,
          npmCommand(),
          ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'],
          {
            log: join(state, 'install.log'),
            failed: 'npm ci failed',
          },
        );
      }
      note(state, 'install', install);
    }
    if (noted(state, 'build') !== build || !existsSync(join(root, 'dist'))) {
      say('building');
      rmSync(join(state, 'build'), { force: true });
      await run(root, process.execPath, [join(root, 'scripts', 'build.mjs')], {
        log: join(state, 'build.log'),
        failed: 'the build failed',
      });
      note(state, 'build', build);
    }
  });
}

function upToDate(root, state, wanted) {
  return (
    noted(state, 'install') === wanted.install &&
    noted(state, 'build') === wanted.build &&
    existsSync(join(root, 'node_modules')) &&
    existsSync(join(root, 'dist'))
  );
}

/** Native parts are for one platform; the same tree may be mounted on another. */
function installDigest(root) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of ['package.json', 'package-lock.json', '.npmrc'])
    hash.update(contentOf(join(root, file)));
  return hash.digest('hex');
}

function buildDigest(root) {
  const hash = createHash('sha256');
  for (const input of BUILD_INPUTS) {
    for (const file of filesOf(join(root, input))) {
      hash
        .update(`${relative(root, file)}\0`)
        .update(contentOf(file))
        .update('\0');
    }
  }
  return hash.digest('hex');
}

function filesOf(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !/\.(spec|d)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/**
 * Whether node_modules holds what the lock file says, by npm's own record of it: whoever just ran `npm install` need
 * not wait for another installation. Only what is optional (other platforms' parts) may be missing.
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

/** A file that vanished while the tree is edited is as good as empty; the digest changes all the same. */
function contentOf(file) {
  try {
    return readFileSync(file);
  } catch {
    return '';
  }
}

function noted(state, what) {
  return contentOf(join(state, what)).toString().trim();
}

function note(state, what, digest) {
  const file = join(state, what);
  writeFileSync(`${file}.partial`, `${digest}\n`);
  renameSync(`${file}.partial`, file);
}

/** npm lies beside the system's node or anywhere on the PATH, hardly ever beside the one that npx fetched. */
function npmCommand() {
  return process.platform === 'win32' ? 'npm.cmd' : 'npm';
}

async function run(root, command, args, { log, failed }) {
  // npm starts `node` by name: this one first, so that engines and native parts are those of the Node that runs them.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  const code = await new Promise((resolve) => {
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${command}: ${error.message}\n`));
      resolve(1);
    });
    child.on('close', (status, signal) => resolve(status ?? signal));
  });
  const output = Buffer.concat(chunks).toString();
  writeFileSync(log, output);
  if (code !== 0) {
    const last = output.trimEnd().split('\n').slice(-15).join('\n');
    throw new PrepareError(`${failed} (${log}):\n${last}`);
  }
}

async function withLock(file, say, work) {
  const mine = `${process.pid}\n${Math.random()}\n`;
  let waiting = false;
  for (;;) {
    try {
      writeFileSync(file, mine, { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new PrepareError(`cannot write ${file} (${error.code}).`);
    }
    if (!removeStale(file)) {
      if (!waiting) say('waiting for another ./kernel to finish installing or building');
      waiting = true;
      await delay(200);
    }
  }
  const heartbeat = setInterval(() => {
    if (existsSync(file)) utimesSync(file, new Date(), new Date());
  }, HEARTBEAT_MS);
  // Ctrl-C in the middle of an install: the note is gone, so the next call installs again.
  const release = () => {
    if (contentOf(file).toString() === mine) rmSync(file, { force: true });
  };
  process.on('exit', release);
  try {
    await work();
  } finally {
    clearInterval(heartbeat);
    process.off('exit', release);
    release();
  }
}

/** True when the way may be free now. */
function removeStale(file) {
  const seen = contentOf(file).toString();
  let touched;
  try {
    touched = statSync(file).mtimeMs;
  } catch {
    return true;
  }
  const pid = Number(seen.split('\n')[0]);
  if (Date.now() - touched < STALE_AFTER_MS && (seen === '' || isAlive(pid))) return false;
  // Two who find it stale at once: the second would take away the lock of the first, so it looks at what it took.
  const taken = `${file}.${process.pid}`;
  try {
    renameSync(file, taken);
  } catch {
    return true;
  }
  const wrong = contentOf(taken).toString() !== seen;
  if (wrong && !existsSync(file)) renameSync(taken, file);
  else rmSync(taken, { force: true });
  return !wrong;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// `node scripts/prepare.mjs`: for tests that start whole processes from dist/.
if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  try {
    await prepare(join(import.meta.dirname, '..'), (line) => process.stderr.write(`${line}\n`));
  } catch (error) {
    if (!(error instanceof PrepareError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
