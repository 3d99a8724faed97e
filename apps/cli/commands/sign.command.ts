import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command } from 'commander';
import { type SignAnswer } from '#openapi/kernel';
import { CliError } from '../cli.error';
import { print } from '../output/print';
import { type CallOptions, documentText, post, writing } from './api-calls';

type SignOptions = CallOptions & { out?: string };

export function addSign(program: Command): void {
  writing(program.command('sign'))
    .summary('sign a manifest and record it in the chain')
    .description(
      'Has the kernel sign the manifest in FILE (JSON; - reads standard input) and record it in the chain.',
    )
    .argument('<file>', 'the manifest')
    .option('--out <file>', 'write the DSSE envelope there')
    .action(async (file: string, options: SignOptions) => {
      await sign(file, options);
    });
}

async function sign(file: string, options: SignOptions): Promise<void> {
  const manifest = await documentText(file, 'signed');
  // The manifest is sent as it was written: the kernel must see what a parser here would hide.
  const answerText = await post(options, '/kernel/sign', `{"manifest":${manifest}}`);
  const answer = JSON.parse(answerText) as SignAnswer;
  const record = answer.signature_record;
  if (options.out !== undefined) {
    await writeFile(options.out, `${JSON.stringify(record.envelope)}\n`).catch(
      (cause: NodeJS.ErrnoException) => {
        throw new CliError(
          'file_problem',
          `Signed as ${answer.audit_id}, but ${resolve(options.out ?? '')} cannot be written (${cause.code}).`,
          {},
          { cause },
        );
      },
    );
  }
  if (options.json === true) {
    print(answerText);
    return;
  }
  print(
    [
      `Signed ${record.manifest_id} ${record.version}`,
      `  audit id  ${answer.audit_id}`,
      `  position  ${answer.position}`,
      `  sha256    ${record.manifest_sha256}`,
      `  signer    ${record.signer_id}`,
      `  time      ${record.ts}`,
      ...(options.out === undefined ? [] : [`  envelope  ${resolve(options.out)}`]),
    ].join('\n'),
  );
}
