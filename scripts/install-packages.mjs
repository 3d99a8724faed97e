// Brings node_modules to what package-lock.json says. Bare Node.js only: it runs before anything is installed.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentOf, holders } from './builds.mjs';
import { PrepareError, runLogged } from './run-logged.mjs';

/** A name for what is to be installed. Native parts are for one platform; the same tree may be mounted on another. */
export function packagesDigest(root) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
    hash.update(contentOf(join(root, file)));
  }
  return hash.digest('hex');
}

/** @param stream where progress is told */
export async function installPackages(root, stream) {
  if (installedAsLocked(root)) return;
  assertNobodyNeedsThem(root);
  const say = (line) => stream.write(`kernel: ${line}\n`);
  say('installing packages (first start, or package-lock.json changed; about a minute)');
  await runLogged(root, 'npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
    log: join(root, '.build', 'install.log'),
    failed: 'npm ci failed',
  });
}

/** Packages are loaded when they are first needed: taking them away breaks what already runs. */
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
