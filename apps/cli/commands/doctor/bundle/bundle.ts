import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { readEnvironmentFile, runningBuild } from '#dev/devstack';
import { CliError } from '../../../cli.error';
import { type Facts, seen } from '../facts';
import { looked } from '../gather/bounded';
import { databaseSamples } from '../gather/database';
import { answerOf } from '../gather/endpoints';
import { tailOf } from '../gather/files';
import { type Places } from '../places';
import { secretsIn } from './known-secrets';
import { Redactor, secretsOfSetting, shownSettings } from './redact';

/** Together, before compression. */
const MAX_BUNDLE_BYTES = 16 * 1024 * 1024;
const MAX_FILE_BYTES = 512 * 1024;
const LOG_BYTES = 256 * 1024;
const MAX_LOGS = 40;

interface Contents {
  readonly places: Places;
  readonly facts: Facts;
  readonly report: unknown;
}

/**
 * Writes what somebody else needs to help: nothing in it opens or signs anything. Each text is cleaned and then searched
 * for every secret that is known; one that is found all the same ends it, and no file is left.
 * @throws CliError `file_problem`
 */
export async function writeBundle(
  file: string,
  contents: Contents,
): Promise<{ files: number; bytes: number }> {
  const redactor = new Redactor(await secretsFor(contents.places));
  const files: { name: string; text: string }[] = [];
  let total = 0;
  const leftOut: string[] = [];
  for await (const [name, raw] of textsOf(contents)) {
    // The end tells more of a log, and nothing of the rest is cut.
    const text = redactor.redact(raw).slice(-MAX_FILE_BYTES);
    if (redactor.finds(text)) {
      throw new CliError(
        'failed',
        `${name} would hold a secret; the bundle was not written. Report this as a fault.`,
      );
    }
    if (total + Buffer.byteLength(text) > MAX_BUNDLE_BYTES) {
      leftOut.push(name);
      continue;
    }
    total += Buffer.byteLength(text);
    files.push({ name, text });
  }
  files.unshift({ name: 'MANIFEST.txt', text: manifestOf(files, leftOut) });
  const tar = pack();
  for (const { name, text } of files) {
    tar.entry({ name: `kernel-support/${name}`, mode: 0o600, mtime: new Date(contents.facts.at) }, text);
  }
  tar.finalize();
  try {
    // As a whole: it is bounded, and a stream of tar-stream throws past those who wait for it.
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(chunk as Buffer);
    await writeFile(file, gzipSync(Buffer.concat(chunks)), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') await rm(file, { force: true });
    throw new CliError(
      'file_problem',
      code === 'EEXIST'
        ? `${file} is there already; name another file.`
        : `${file} cannot be written: ${message}.`,
      {},
      { cause: error },
    );
  }
  return { files: files.length, bytes: (await stat(file)).size };
}

function manifestOf(files: readonly { name: string; text: string }[], leftOut: readonly string[]): string {
  const lines = files.map(({ name, text }) => `${String(Buffer.byteLength(text)).padStart(9)}  ${name}`);
  return [
    'A support bundle of a kernel. Secrets were removed: keys, passwords, tokens, credentials in addresses.',
    'Payloads of events are in no log, so that there are none here.',
    '',
    ...lines,
    ...leftOut.map((name) => `left out, for want of room: ${name}`),
    '',
  ].join('\n');
}

async function* textsOf({ places, facts, report }: Contents): AsyncGenerator<[string, string]> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  yield ['doctor.json', json(report)];
  yield [
    'versions.json',
    json({
      node: process.versions,
      platform: process.platform,
      arch: process.arch,
      cli: runningBuild() ?? null,
      program: facts.program,
      run: facts.run,
    }),
  ];
  // Metrics are below as they came.
  yield ['facts.json', json({ ...facts, endpoints: undefined, at: new Date(facts.at).toISOString() })];
  for (const { name, health, ready } of seen(facts.endpoints) ?? []) {
    yield [`processes/${name}/health.json`, health.text];
    yield [`processes/${name}/ready.json`, ready.text];
  }
  for (const { name, url } of places.endpoints) {
    const { status, text } = await answerOf(`${url}/metrics`);
    yield [`processes/${name}/metrics.txt`, status === 200 ? text : `no metrics: ${status} ${text}\n`];
  }
  for (const file of places.environmentFiles) {
    yield [`settings/${file.split('/').at(-1)}.json`, json(shownSettings(await readEnvironmentFile(file)))];
  }
  for (const { name, pid } of places.run?.services ?? []) {
    const variables = pid === null ? undefined : await environmentOf(pid);
    if (variables !== undefined) yield [`settings/${name}.json`, json(shownSettings(variables))];
  }
  const { databaseUrl } = places;
  if (databaseUrl !== undefined)
    yield ['database.json', json(await looked(() => databaseSamples(databaseUrl)))];
  for (const { name, file } of places.logs.slice(0, MAX_LOGS)) {
    const text = await tailOf(file, LOG_BYTES).catch((error: Error) => `not to be had: ${error.message}\n`);
    yield [`logs/${name.replaceAll(/[^\w.-]/g, '_')}.log`, text];
  }
}

/** The environment of a process on this machine, where the system tells it (Linux). */
async function environmentOf(pid: number): Promise<Record<string, string> | undefined> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const variables = text.split('\0').flatMap((line) => {
    const at = line.indexOf('=');
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  return Object.fromEntries(variables);
}

async function secretsFor(places: Places): Promise<string[]> {
  const secrets = places.privateFolder === undefined ? [] : await secretsIn(places.privateFolder);
  for (const url of [places.databaseUrl, places.owner?.url]) {
    if (url !== undefined) secrets.push(...secretsOfSetting('DATABASE_URL', url));
  }
  for (const { pid } of places.run?.services ?? []) {
    const variables = pid === null ? undefined : await environmentOf(pid);
    for (const [name, value] of Object.entries(variables ?? {}))
      secrets.push(...secretsOfSetting(name, value));
  }
  for (const [name, value] of Object.entries(places.archive?.variables ?? {})) {
    if (value !== undefined) secrets.push(...secretsOfSetting(name, value));
  }
  return secrets;
}
