const vm = require('node:vm');
const { spawnSync } = require('node:child_process');

/**
 * Starts the current program again with the flag that Jest needs to load Nest 12, which is ES modules only. So
 * `npx jest FILE` and an editor's test runner need no flag of their own. The new process replaces this one:
 * same process id, same terminal, same arguments.
 */
const FLAGS = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

function enableEsModules() {
  if (vm.SourceTextModule !== undefined) return;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 24 || (major === 24 && minor < 9)) {
    process.stderr.write(
      `The tests need Node.js 24.9 or newer; this is ${process.version}. ./kernel test finds the right one.\n`,
    );
    process.exit(1);
  }
  const args = [...FLAGS, ...process.execArgv, ...process.argv.slice(1)];
  // Windows cannot replace a process, and a channel to a parent process would not survive it.
  if (process.execve !== undefined && process.platform !== 'win32' && process.channel == null) {
    process.execve(process.execPath, [process.argv0, ...args], process.env);
  }
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  process.exit(status ?? 1);
}

module.exports = { enableEsModules };
