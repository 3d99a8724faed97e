/** Starts one of the image's processes by its name, or asks the one in this container how it is. */
import { join } from 'node:path';
import { ConfigError, loadPart } from '#platform/process';
import { askHealth } from './ask-health';
import { chooseProgram } from './choose-program';
import { entrypointConfig } from './entrypoint.config';
import { type ImageProgram } from './programs';
import { whatIsMissing } from './what-is-missing';

/** EX_USAGE of sysexits.h; no process of ours ends with it. */
const EXIT_USAGE = 64;
const EXIT_FAILED = 1;
/** Folder of the programs, with their packages. */
const ROOT = join(__dirname, '..', '..');

async function main(): Promise<void> {
  const choice = chooseProgram(process.argv.slice(2));
  switch (choice.kind) {
    case 'help':
      process.stdout.write(choice.text);
      return;
    case 'refused':
      return fail(choice.sentence, EXIT_USAGE);
    case 'health': {
      const { managementHost, managementPort } = loadPart(entrypointConfig);
      const problem = await askHealth(managementHost, managementPort);
      return problem === null ? undefined : fail(problem, EXIT_FAILED);
    }
    case 'run':
      return run(choice.name, choice.program, choice.args);
  }
}

/** Makes this process the program: same id, so the init's signals reach it and its exit code is the container's. */
function run(name: string, { nodeFlags = [], isManaged }: ImageProgram, args: readonly string[]): void {
  const { managementPort, openapiPath } = loadPart(entrypointConfig);
  const missing = name === 'kernel' ? whatIsMissing(ROOT, openapiPath) : null;
  if (missing !== null) return fail(missing, EXIT_FAILED);
  // eslint-disable-next-line no-restricted-properties -- the whole environment is handed on, which the program itself reads
  const environment = { ...process.env };
  if (isManaged) environment['KERNEL_MANAGEMENT_PORT'] = String(managementPort);
  const program = join(ROOT, 'apps', name, 'main.js');
  process.execve?.(process.execPath, [process.execPath, ...nodeFlags, program, ...args], environment);
}

function fail(sentence: string, code: number): void {
  process.stderr.write(`entrypoint: ${sentence}\n`);
  process.exitCode = code;
}

main().catch((error: unknown) => {
  const text = error instanceof ConfigError ? error.message : String((error as Error).stack ?? error);
  fail(text, EXIT_FAILED);
});
