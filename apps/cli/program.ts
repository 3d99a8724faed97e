import { Command, CommanderError } from 'commander';
import { printable } from '#evidence';
import { CliError } from './cli.error';
import { addAgent } from './commands/agent.command';
import { addAllocation } from './commands/allocation.command';
import { addAudit } from './commands/audit/audit.command';
import { addBackup } from './commands/backup/backup.command';
import { addBench } from './commands/bench.command';
import { addCompletion } from './commands/completion.command';
import { addDivision } from './commands/division.command';
import { addDoctor } from './commands/doctor/doctor.command';
import { addDown } from './commands/down.command';
import { addDrill } from './commands/drill/drill.command';
import { addKeys } from './commands/keys.command';
import { addMigrate } from './commands/migrate.command';
import { addMode } from './commands/mode.command';
import { addPartitions } from './commands/partitions/partitions.command';
import { addReason } from './commands/reason.command';
import { addReplay } from './commands/replay/replay.command';
import { addSign } from './commands/sign.command';
import { addStatus } from './commands/status.command';
import { addTest } from './commands/test/test.command';
import { addUp } from './commands/up/up.command';
import { addUpgrade } from './commands/upgrade/upgrade.command';
import { addWebhook } from './commands/webhook.command';
import { addWitness } from './commands/witness.command';
import { versionText } from './output/describe-build';
import { note, say } from './output/print';

/** The system has no space left on the disk, or in the account's share of it. Its message names the file. */
const NO_ROOM = ['ENOSPC', 'EDQUOT'];
const EXIT_FAILED = 1;
const EXIT_WRONG_USAGE = 2;

export function createProgram(): Command {
  const program = new Command('./kernel')
    .description(
      'Governs changes, signs manifests, and records every action in a chain that anyone can verify offline.',
    )
    .helpCommand('help [command]', 'show what a command does')
    .showSuggestionAfterError(true)
    .version(versionText(), '-V, --version', 'show the version and the build');
  addUp(program);
  addDown(program);
  addStatus(program);
  addDoctor(program);
  addSign(program);
  addAudit(program);
  addKeys(program);
  addUpgrade(program);
  addDivision(program);
  addAgent(program);
  addAllocation(program);
  addWebhook(program);
  addReason(program);
  addMode(program);
  addReplay(program);
  addMigrate(program);
  addPartitions(program);
  addDrill(program);
  addBackup(program);
  addWitness(program);
  addTest(program);
  addBench(program);
  addCompletion(program);
  forEachCommand(program, (command) => {
    command.exitOverride();
    // Every complaint is one line in this program's own words, written at the end (runCli).
    command.configureOutput({ outputError: () => undefined });
  });
  return program;
}

/** @returns the exit code: 0, 1 when it failed, 2 for wrong use */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = createProgram();
  const [verb] = args;
  if (verb === undefined) {
    note(program.helpInformation().trimEnd());
    return EXIT_WRONG_USAGE;
  }
  if (!verb.startsWith('-') && verb !== 'help' && !program.commands.some((c) => c.name() === verb)) {
    say(`There is no command "${printable(verb)}"; ./kernel help lists what there is.`, 'bad');
    return EXIT_WRONG_USAGE;
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return complain(error);
  }
}

function complain(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // A group of commands without one of them (`./kernel audit`) has printed its help.
    if (error.code !== 'commander.help') say(sentence(error.message.replace(/^error: /, '')), 'bad');
    return EXIT_WRONG_USAGE;
  }
  if (error instanceof CliError && error.code === 'wrong_usage') {
    say(error.message, 'bad');
    return EXIT_WRONG_USAGE;
  }
  // A code that is a word is one of ours: the message is for a person. Anything else is a fault and keeps its stack.
  const { code, message, stack } = error as Error & { code?: unknown };
  if (typeof code === 'string' && NO_ROOM.includes(code)) say(sentence(message), 'bad');
  else say(typeof code === 'string' && /^[a-z_]+$/.test(code) ? message : (stack ?? String(error)), 'bad');
  return EXIT_FAILED;
}

function sentence(text: string): string {
  const oneLine = text.replaceAll(/\s*\n\s*/g, ' ');
  const capital = oneLine.charAt(0).toUpperCase() + oneLine.slice(1);
  return /[.?!)]$/.test(capital) ? capital : `${capital}.`;
}

function forEachCommand(command: Command, act: (command: Command) => void): void {
  act(command);
  for (const child of command.commands) forEachCommand(child, act);
}
