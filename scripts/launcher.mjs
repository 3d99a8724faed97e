// Brings packages and build up to the sources, then hands over to the CLI (apps/cli) of that build.
// Commands that only inspect or stop running processes use the newest existing build.
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { hold, newestBuild } from './builds.mjs';
import { prepare } from './prepare.mjs';
import { PrepareError } from './run-logged.mjs';

const NEVER_BUILD = ['down', 'status', '--version', '-V'];

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const [verb = ''] = args;
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The answer of a command that does not build when there is no build. */
function answerWithoutBuild() {
  if (verb.startsWith('-')) return { text: `illuvrse-kernel ${manifest.version}, not built`, code: 0 };
  const { values } = parseArgs({
    args,
    options: { state: { type: 'string' }, json: { type: 'boolean' } },
    strict: false,
  });
  const state = resolve(typeof values.state === 'string' ? values.state : join(root, '.kernel'));
  if (existsSync(join(state, 'run.json'))) {
    throw new PrepareError(
      `There may be a kernel in ${state}, but nothing is installed and built in ${root} that could tell or stop it; use the folder that started it, or build here with ./kernel help.`,
    );
  }
  if (verb === 'status' && values.json === true) {
    return { text: JSON.stringify({ state, running: false, ready: false }, null, 2), code: 1 };
  }
  const says = verb === 'down' ? 'Nothing to stop' : 'Not running';
  return {
    text: `${says}: there is no kernel in ${state}, and nothing is installed and built in ${root}.`,
    code: verb === 'down' ? 0 : 1,
  };
}

try {
  const looksOnly = NEVER_BUILD.includes(verb);
  if (!looksOnly && Number.parseInt(process.versions.node, 10) < 24) {
    throw new PrepareError(
      `This is Node.js ${process.versions.node}; install Node.js 24, or call ./kernel, which fetches it.`,
    );
  }
  const build = looksOnly ? newestBuild(root) : await prepare(root, process.stderr);
  if (build === undefined) {
    const { text, code } = answerWithoutBuild();
    process.stdout.write(`${text}\n`);
    process.exitCode = code;
  } else {
    hold(build, `./kernel ${verb}`);
    // From here on the name `node` (in npm and its scripts) means this Node.js, not the system's old one.
    process.env.PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;
    // Otherwise half of a short command's time goes into compiling the same libraries again.
    module.enableCompileCache(join(root, '.build', 'compile-cache'));
    await import(pathToFileURL(join(build, 'apps', 'cli', 'main.js')).href);
  }
} catch (error) {
  if (!(error instanceof PrepareError)) throw error;
  process.stderr.write(`kernel: ${error.message}\n`);
  process.exitCode = 1;
}
