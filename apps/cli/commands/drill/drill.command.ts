import { Argument, type Command, Option } from 'commander';
import { SIGNERS, type SignerChoice } from '#dev/devstack';
import { type ConnectionOptions, connectionFrom, withConnectionOptions } from '../../api/connection';
import { KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { print, say } from '../../output/print';
import { type Drill } from './drill';
import { DrillFault } from './drill-fault';
import { DrillRun, type DrillResult, type Step } from './drill-run';
import { auditDrill } from './drills/audit';
import { compromiseDrill } from './drills/compromise';
import { kmsDrill } from './drills/kms';
import { multisigDrill } from './drills/multisig';
import { recordDrill } from './record-drill';
import { ScratchKernel } from './scratch-kernel';

export const DRILLS: readonly Drill[] = [kmsDrill, auditDrill, compromiseDrill, multisigDrill];

type Flags = ConnectionOptions & { json?: true; record: boolean; signer?: SignerChoice };

/** Practises a runbook on a kernel that is made for it. */
export function addDrill(program: Command): void {
  withConnectionOptions(program.command('drill'))
    .summary('practise a runbook, and record that')
    .description(
      [
        'Makes a kernel that no one needs, writes to it all the while, makes the fault, follows the runbook by its commands,',
        'and looks whether everything that was acknowledged is there and the chain verifies. Ends with a verdict; the exit',
        'code is 0 when it passed. The result goes into the chain of the kernel that --state or --url names, as the event',
        'drill.completed; --no-record keeps it out.',
        ...DRILLS.map(({ name, summary, runbook }) => `\n${name}: ${summary} (runbooks/${runbook}.md).`),
      ].join(' '),
    )
    .addArgument(new Argument('<drill>', 'what is practised').choices(DRILLS.map(({ name }) => name)))
    .option('--no-record', 'write nothing into any chain')
    .addOption(
      new Option('--signer <kind>', 'where the keys of that kernel live (default: software)').choices(
        SIGNERS,
      ),
    )
    .option('--json', 'print the result as JSON')
    .action(async (name: string, flags: Flags) => {
      const drill = DRILLS.find((one) => one.name === name) as Drill;
      // Before the work, so that nobody practises for a record that cannot be written.
      if (flags.record) await assertReachable(flags);
      const result = await practise(drill, flags);
      if (flags.json === true) print(JSON.stringify(result, null, 2));
      else describe(drill, result);
      if (flags.record) say(`Recorded as event ${await recordDrill(flags, result)}.`);
      process.exitCode = result.verdict === 'passed' ? 0 : 1;
    });
}

async function assertReachable(flags: Flags): Promise<void> {
  try {
    const client = new KernelApiClient(await connectionFrom(flags));
    try {
      await client.get('/kernel/audit/head');
    } finally {
      await client.close();
    }
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw new CliError(
      error.code,
      `${error.message} The record of the drill goes there; without one: --no-record.`,
      {},
      { cause: error },
    );
  }
}

async function practise(drill: Drill, { signer }: Flags): Promise<DrillResult> {
  const kernel = await ScratchKernel.create();
  const interrupted = () => {
    void kernel.close().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  const run = new DrillRun(drill.name, kernel, tell);
  let passed = false;
  try {
    await run.step('a kernel for the drill', () =>
      kernel.up(signer === undefined ? [] : ['--signer', signer]),
    );
    await run.step('a service that writes all the while', () => run.startWriting());
    await drill.practise(run);
    await run.step('nothing that was acknowledged is missing', () => run.nothingIsLost());
    await run.step('the chain verifies', async () => {
      await kernel.succeeds(['audit', 'verify']);
    });
    passed = true;
  } catch (error) {
    if (!(error instanceof DrillFault)) throw error;
  } finally {
    await run.close();
    await kernel.close();
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
  return run.result(passed);
}

function tell({ what, seconds, outcome, shown }: Step): void {
  say(
    `${seconds.toFixed(1).padStart(6)} s  ${what}${shown === undefined ? '' : `: ${shown}`}`,
    outcome === 'failed' ? 'bad' : undefined,
  );
}

function describe({ name, runbook }: Drill, result: DrillResult): void {
  const { verdict, rtoSeconds, lostEvents, acknowledgedEvents, seconds } = result;
  const recovery =
    rtoSeconds === null ? 'writes did not come back' : `${rtoSeconds} s from the fault to the next write`;
  print(`recovery   ${recovery}`);
  print(
    `lost       ${lostEvents === null ? 'not looked at' : `${lostEvents} of ${acknowledgedEvents} acknowledged events`}`,
  );
  if (verdict === 'passed') print(`The drill ${name} passed in ${seconds} s.`, 'good');
  else print(`The drill ${name} failed after ${seconds} s; its runbook is runbooks/${runbook}.md.`, 'bad');
}
