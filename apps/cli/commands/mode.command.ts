import { Argument, type Command } from 'commander';
import { KERNEL_MODES, type KernelMode } from '#modules/modes';
import { type ChangedMode, type ModeState } from '#openapi/kernel';
import { connectionFrom, type ConnectionOptions, withConnectionOptions } from '../api/connection';
import { KernelApiClient } from '../api/kernel-api.client';
import { CliError } from '../cli.error';
import { print } from '../output/print';
import { shown } from '../output/shown';
import { dangerous, type DangerOptions, mayGoOn } from './dangerous';

const PATH = '/kernel/admin/mode';

const EFFECT: Readonly<Record<KernelMode, string>> = {
  normal: 'writes and signatures are answered.',
  'read-only': 'every write and every signature is refused (503), reads go on.',
  'safe-mode': 'every write and every signature is refused (503), reads go on.',
};

/** Shows or changes the mode: who may write. */
export function addMode(program: Command): void {
  dangerous(withConnectionOptions(program.command('mode'), 'superadmin'))
    .summary('show or change the mode: normal, read-only, safe-mode')
    .description(
      [
        'Without a mode, says which one is in force, since when, by whom and why. read-only: every write answers 503 and',
        'reads go on. safe-mode: the same, and nothing is signed. All kernel processes share the mode. Changing it takes',
        'the role SuperAdmin, and is recorded in the chain.',
      ].join(' '),
    )
    .addArgument(new Argument('[mode]', 'the mode to put into force').choices(KERNEL_MODES))
    .option('--reason <text>', 'why; goes into the chain with the change')
    .option('--json', "print the kernel's answer as it came")
    .action(
      async (
        mode: KernelMode | undefined,
        options: ConnectionOptions & DangerOptions & { reason?: string },
      ) => {
        if (mode !== undefined && (options.reason ?? '').trim() === '') {
          throw new CliError(
            'wrong_usage',
            `Say why with --reason; it is recorded with the change to ${mode}.`,
          );
        }
        if (mode === undefined && options.reason !== undefined) {
          throw new CliError(
            'wrong_usage',
            `--reason is for a change; name the mode: ${KERNEL_MODES.join(', ')}.`,
          );
        }
        const client = new KernelApiClient(await connectionFrom(options));
        try {
          if (mode !== undefined) {
            const now = await client.getJson<ModeState>(PATH);
            if (!(await mayGoOn(options, [`All kernels go from ${now.mode} to ${mode}: ${EFFECT[mode]}`])))
              return;
          }
          const text =
            mode === undefined
              ? await client.get(PATH)
              : await client.post(PATH, JSON.stringify({ mode, reason: options.reason }));
          print(options.json === true ? text : describe(shown<ModeState>(text)));
        } finally {
          await client.close();
        }
      },
    );
}

function describe({
  mode,
  restoring,
  reason,
  actor,
  since,
  auditId,
  position,
}: Partial<ChangedMode> & ModeState): string {
  const lines = [`${mode} since ${since}, by ${String(actor.id)}: ${reason}`];
  if (restoring) lines.push('The store is being rebuilt from the archive; the replay ends the mode.');
  if (auditId === null) lines.push('It was in force already; nothing changed.');
  else if (auditId !== undefined) {
    lines.push(
      position === null
        ? `Not in the chain yet: nothing can be signed now. It will be event ${auditId}.`
        : `Recorded at ${position} as event ${auditId}.`,
    );
  }
  return lines.join('\n');
}
