import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Command } from 'commander';
import { EvidenceError, parseStrictJson } from '#libs/evidence';
import { connectionFrom, type ConnectionOptions, withConnectionOptions } from '../api/connection';
import { KernelApiClient } from '../api/kernel-api.client';
import { CliError } from '../cli.error';
import { print } from '../output/print';

interface SignOptions extends ConnectionOptions {
  json?: true;
  out?: string;
  idempotencyKey?: string;
}

interface SignAnswer {
  audit_id: string;
  position: string;
  signature_record: {
    manifest_id: string;
    version: string;
    signer_id: string;
    manifest_sha256: string;
    ts: string;
    envelope: unknown;
  };
}

export function addSign(program: Command): void {
  withConnectionOptions(program.command('sign'))
    .summary('sign a manifest and record it in the chain')
    .description(
      'Has the kernel sign the manifest in FILE (JSON; - reads standard input) and record it in the chain.',
    )
    .argument('<file>', 'the manifest')
    .option('--out <file>', 'write the DSSE envelope there')
    .option('--idempotency-key <key>', 'the same key and manifest give the same answer again')
    .option('--json', "print the kernel's answer as it came")
    .action(async (file: string, options: SignOptions) => {
      await sign(file, options);
    });
}

async function sign(file: string, options: SignOptions): Promise<void> {
  const manifest = await manifestText(file);
  const client = new KernelApiClient(await connectionFrom(options));
  let answerText: string;
  try {
    // The manifest goes as it was written: the kernel is to see what a parser here would have hidden.
    answerText = await client.post(
      '/kernel/sign',
      `{"manifest":${manifest}}`,
      options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey },
    );
  } finally {
    await client.close();
  }
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

async function manifestText(file: string): Promise<string> {
  let source: string;
  try {
    source = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (cause) {
    throw new CliError(
      'file_problem',
      `${resolve(file)} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
      {},
      { cause },
    );
  }
  try {
    // One whole JSON value, so that it can stand inside the request's body and nowhere else.
    parseStrictJson(source);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    const where = cause.pointer === undefined || cause.pointer === '' ? '' : ` at ${cause.pointer}`;
    throw new CliError('file_problem', `${file} cannot be signed: ${cause.message}${where}`, {}, { cause });
  }
  return source;
}
