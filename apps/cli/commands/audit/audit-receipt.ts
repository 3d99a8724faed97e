import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { type Command } from 'commander';
import { type ConnectionOptions, withConnectionOptions } from '../../api/connection';
import { type KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { print, printStream } from '../../output/print';
import { withClient } from '../api-calls';

type ReceiptOptions = ConnectionOptions & { out?: string; json?: true };

/** The kernel answers after its own limit, 10 s unless configured otherwise; then it is asked again. */
const ATTEMPTS = 3;

export function addAuditReceipt(audit: Command): void {
  withConnectionOptions(audit.command('receipt'))
    .summary('fetch the proof that an event is in the published log')
    .description(
      'Waits until a published checkpoint includes the event ID, and prints its receipt (c2sp.org/tlog-proof). With the ' +
        'event itself it is verified offline: tools/audit-verify.js --receipt FILE --event FILE.',
    )
    .argument('<id>', 'the event')
    .option('--out <file>', 'write the receipt there')
    .option('--json', 'print it, or where it is, as JSON')
    .action(async (id: string, options: ReceiptOptions) => {
      const receipt = await withClient(options, (client) => receiptOf(client, id));
      const { out } = options;
      if (out !== undefined) await written(out, receipt);
      if (options.json === true) {
        print(JSON.stringify(out === undefined ? { id, receipt } : { id, out: resolve(out) }));
      } else if (out === undefined) await printStream(Readable.from([receipt]));
      else {
        print(`Receipt of ${id}: ${resolve(out)}`);
      }
    });
}

/** The receipt of an event, as soon as its checkpoint is published. */
export async function receiptOf(client: KernelApiClient, id: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      const path = `/kernel/audit/${encodeURIComponent(id)}/receipt`;
      return await client.get(path, { 'kernel-await': 'logged' });
    } catch (error) {
      const { problem } = (error instanceof CliError ? error.details : {}) as {
        problem?: { error?: string };
      };
      if (problem?.error !== 'not_in_log_yet' || attempt === ATTEMPTS) throw error;
    }
  }
}

/** @throws CliError `file_problem` */
export async function written(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((cause: NodeJS.ErrnoException) => {
    throw new CliError('file_problem', `${resolve(file)} cannot be written (${cause.code}).`, {}, { cause });
  });
}
