import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Command } from 'commander';
import { EvidenceError, parseStrictJson } from '#evidence';
import { connectionFrom, type ConnectionOptions, withConnectionOptions } from '../api/connection';
import { KernelApiClient } from '../api/kernel-api.client';
import { CliError } from '../cli.error';

/** Options of the commands that send one request to the API. */
export type CallOptions = ConnectionOptions & { json?: true; idempotencyKey?: string };

export function reading(command: Command): Command {
  return withConnectionOptions(command).option('--json', "print the kernel's answer as it came");
}

export function writing(command: Command, as = 'operator'): Command {
  return withConnectionOptions(command, as)
    .option('--idempotency-key <key>', 'the same key and request give the same answer again')
    .option('--json', "print the kernel's answer as it came");
}

export function withReason(command: Command): Command {
  return command.requiredOption('--reason <text>', 'why; goes into the chain with it');
}

export function idempotency({ idempotencyKey }: CallOptions): Record<string, string> {
  return idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
}

/** @returns the answer as it came */
export function get(options: CallOptions, path: string): Promise<string> {
  return withClient(options, (client) => client.get(path));
}

/** @returns the answer as it came */
export function post(options: CallOptions, path: string, body: string): Promise<string> {
  return withClient(options, (client) => client.post(path, body, idempotency(options)));
}

/** For commands that ask more than once: the connection is closed whatever happens. */
export async function withClient<T>(
  options: ConnectionOptions,
  use: (client: KernelApiClient) => Promise<T>,
): Promise<T> {
  const client = new KernelApiClient(await connectionFrom(options));
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** A path with a query of those parameters that have a value. */
export function withQuery(path: string, parameters: Record<string, string | undefined>): string {
  const query = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return query.length === 0 ? path : `${path}?${query.join('&')}`;
}

export async function bytesOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CliError('file_problem', `${resolve(file)} cannot be read (${code}).`, {}, { cause });
  }
}

/**
 * Reads a JSON document as it was written: the kernel must see what a parser here would hide.
 * @param file `-` for standard input
 * @param purpose ends the sentence "FILE cannot be ...", such as "proposed"
 */
export async function documentText(file: string, purpose: string): Promise<string> {
  const source = file === '-' ? await text(process.stdin) : (await bytesOf(file)).toString('utf8');
  try {
    // One whole JSON value, so that it cannot leave its place in the request's body.
    parseStrictJson(source);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    const where = cause.pointer === undefined || cause.pointer === '' ? '' : ` at ${cause.pointer}`;
    throw new CliError(
      'file_problem',
      `${file} cannot be ${purpose}: ${cause.message}${where}`,
      {},
      { cause },
    );
  }
  return source;
}

/** A number as it was typed. */
export function numberOf(option: string, value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isFinite(number)) return number;
  throw new CliError('wrong_usage', `${option} takes a number, not "${value}".`);
}
