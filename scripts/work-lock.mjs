// A lock file that lets only one process at a time change node_modules and the builds. Bare Node.js only.
import { existsSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { contentOf } from './builds.mjs';
import { PrepareError } from './run-logged.mjs';

/** The holder of the lock touches it this often; a lock not touched for a while was left by a crash. */
const HEARTBEAT_MS = 2_000;
const STALE_AFTER_MS = 30_000;

export async function withLock(file, say, work) {
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
  const release = () => {
    if (contentOf(file).toString() === mine) rmSync(file, { force: true });
  };
  process.on('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    process.off('exit', release);
    release();
  }
}

/** Removes a lock that a crash has left. Returns true when the lock may be free now. */
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
  // When two find it stale at once, the second could take the lock of the first, so it checks what it took.
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
