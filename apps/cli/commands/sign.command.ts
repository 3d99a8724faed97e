import { resolve } from 'node:path';
import { type Command } from 'commander';
import { type SignAnswer } from '#openapi/kernel';
import { CliError } from '../cli.error';
import { print } from '../output/print';
import { shown } from '../output/shown';
import { type CallOptions, documentText, idempotency, withClient, writing } from './api-calls';
import { receiptOf, written } from './audit/audit-receipt';

type SignOptions = CallOptions & { out?: string; receipt?: true };

export function addSign(program: Command): void {
  writing(program.command('sign'))
    .summary('sign a manifest and record it in the chain')
    .description(
      'Has the kernel sign the manifest in FILE (JSON; - reads standard input) and record it in the chain.',
    )
    .argument('<file>', 'the manifest')
    .option('--out <file>', 'write the DSSE envelope there')
    .option(
      '--receipt',
      'wait until the record is in the published log, and write envelope, event and receipt: FILE.envelope.json, ' +
        'FILE.event.json and FILE.receipt.txt, or beside --out',
    )
    .action(async (file: string, options: SignOptions) => {
      await sign(file, options);
    });
}

async function sign(file: string, options: SignOptions): Promise<void> {
  const names = filesOf(file, options);
  const manifest = await documentText(file, 'signed');
  await withClient(options, async (client) => {
    // The manifest is sent as it was written: the kernel must see what a parser here would hide.
    const answerText = await client.post('/kernel/sign', `{"manifest":${manifest}}`, idempotency(options));
    const answer = JSON.parse(answerText) as SignAnswer;
    const record = answer.signature_record;
    try {
      if (names.envelope !== undefined) await written(names.envelope, `${JSON.stringify(record.envelope)}\n`);
      if (names.receipt !== undefined) {
        // The event's bytes exactly: they are what the receipt proves.
        await written(names.event, await client.get(`/kernel/audit/${answer.audit_id}`));
        await written(names.receipt, await receiptOf(client, answer.audit_id));
      }
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      const said = `Signed as ${answer.audit_id}, but: ${error.message}`;
      throw new CliError(error.code, said, error.details, { cause: error });
    }
    if (options.json === true) {
      print(answerText);
      return;
    }
    const fileLine = (name: string, path: string | undefined): string[] =>
      path === undefined ? [] : [`  ${name.padEnd(9)} ${resolve(path)}`];
    const { manifest_id: id, version } = shown<SignAnswer>(answerText).signature_record;
    print(
      [
        `Signed ${id} ${version}`,
        `  audit id  ${answer.audit_id}`,
        `  position  ${answer.position}`,
        `  sha256    ${record.manifest_sha256}`,
        `  signer    ${record.signer_id}`,
        `  time      ${record.ts}`,
        ...fileLine('envelope', names.envelope),
        ...(names.receipt === undefined ? [] : fileLine('event', names.event)),
        ...fileLine('receipt', names.receipt),
      ].join('\n'),
    );
  });
}

interface SignedFiles {
  envelope: string | undefined;
  event: string;
  receipt: string | undefined;
}

function filesOf(file: string, { out, receipt }: SignOptions): SignedFiles {
  if (receipt !== true) return { envelope: out, event: '', receipt: undefined };
  if (file === '-' && out === undefined) {
    throw new CliError('wrong_usage', 'A manifest from standard input has no name: say where with --out.');
  }
  const stem = (out ?? file).replace(/\.json$/, '').replace(/\.envelope$/, '');
  return {
    envelope: out ?? `${stem}.envelope.json`,
    event: `${stem}.event.json`,
    receipt: `${stem}.receipt.txt`,
  };
}
