import { createPrivateKey } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { access, open, readdir, readFile, stat, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { X509Crl } from '@peculiar/x509';
import { certificatesIn, diskProblem, revocationListsIn } from '#platform/process';
import {
  type CertificateFact,
  type DiskFact,
  type LogFact,
  type LogGroup,
  type PrivateFileFact,
} from '../facts';
import { reasonOf } from './bounded';

/** Larger files are no certificates. */
const MAX_PEM_BYTES = 1024 * 1024;
const MAX_FILES = 500;

/** How much room the disks of some folders have, and whether they can be written to. */
export async function disksOf(folders: readonly string[]): Promise<DiskFact[]> {
  return await Promise.all(
    folders.map(async (folder) => {
      const { bavail, blocks, bsize } = await statfs(folder);
      const refused = await access(folder, constants.W_OK | constants.X_OK).then(
        () => null,
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      return {
        folder,
        freeBytes: bavail * bsize,
        totalBytes: blocks * bsize,
        problem: await diskProblem(folder),
        refused,
      };
    }),
  );
}

/** The certificates and revocation lists in PEM files. A file that cannot be read is a fact of its own. */
export async function certificatesOf(files: readonly string[]): Promise<CertificateFact[]> {
  const facts: CertificateFact[] = [];
  for (const file of files.slice(0, MAX_FILES)) {
    const unreadable = (problem: string) =>
      facts.push({ file, kind: 'unreadable', subject: '', from: 0, to: 0, problem });
    try {
      if ((await stat(file)).size > MAX_PEM_BYTES) {
        unreadable('is larger than 1 MiB');
        continue;
      }
      const text = await readFile(file, 'utf8');
      const certificates = certificatesIn(text);
      const lists = revocationListsIn(text);
      for (const { subject, validFromDate, validToDate } of certificates) {
        const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
        facts.push({ file, kind: 'certificate', subject: subject.replaceAll('\n', ', '), from, to });
      }
      for (const list of lists) {
        const { issuer, thisUpdate, nextUpdate } = new X509Crl(list);
        const to = nextUpdate?.getTime() ?? Infinity;
        facts.push({ file, kind: 'revocation list', subject: issuer, from: thisUpdate.getTime(), to });
      }
      if (certificates.length + lists.length === 0) unreadable('holds no certificate and no revocation list');
      else if (certificates[0] !== undefined) await checkPair(file, certificates[0], unreadable);
    } catch (error) {
      unreadable(`cannot be read (${reasonOf(error)})`);
    }
  }
  return facts;
}

/** NAME.key beside NAME.pem has to belong to it. */
async function checkPair(
  file: string,
  certificate: ReturnType<typeof certificatesIn>[number],
  unreadable: (problem: string) => void,
): Promise<void> {
  const keyFile = file.replace(/\.(pem|crt|cert)$/, '.key');
  if (keyFile === file) return;
  let key: string;
  try {
    key = await readFile(keyFile, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') unreadable(`has a key that cannot be read`);
    return;
  }
  try {
    if (certificate.checkPrivateKey(createPrivateKey(key))) return;
    unreadable(`does not belong to the private key in ${basename(keyFile)}`);
  } catch {
    unreadable(`has no private key in ${basename(keyFile)}`);
  }
}

/** The PEM and CRL files of a folder. */
export async function pemFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => /\.(pem|crt|cert|crl)$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** Where a state folder has what others must not read. */
export async function privateFilesIn(state: string): Promise<PrivateFileFact[]> {
  const files: string[] = ['row.key', 'kernel.env', 'auditor.env', 'identity-provider.json'].map((name) =>
    join(state, name),
  );
  for (const folder of ['identities', 'signing-keys', 'openbao', 's3', 'postgres']) {
    const entries = await readdir(join(state, folder), { withFileTypes: true }).catch(() => [] as Dirent[]);
    for (const entry of entries) {
      if (entry.isFile() && !/\.(pem|crl)$/.test(entry.name)) files.push(join(state, folder, entry.name));
    }
  }
  const facts: PrivateFileFact[] = [];
  for (const file of files.slice(0, MAX_FILES)) {
    const mode = await stat(file).then(
      (found) => found.mode & 0o777,
      () => undefined,
    );
    if (mode !== undefined) facts.push({ file, mode });
  }
  return facts;
}

const TAIL_BYTES = 256 * 1024;
const MAX_GROUPS = 5;
const RECENT_MS = 15 * 60 * 1000;
const MAX_MESSAGE = 200;

/** Errors at the ends of logs, of the last quarter of an hour, grouped by what they say. */
export async function logsOf(
  logs: readonly { name: string; file: string }[],
  now: number,
): Promise<LogFact[]> {
  const facts: LogFact[] = [];
  for (const { name, file } of logs) {
    const text = await tailOf(file, TAIL_BYTES).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    facts.push({ name, file, errors: errorsIn(text, now) });
  }
  return facts;
}

/** The last bytes of a file, from the beginning of a line. */
export async function tailOf(file: string, bytes: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - bytes);
    const buffer = Buffer.alloc(Math.min(size, bytes));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
    const text = buffer.subarray(0, bytesRead).toString('utf8');
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await handle.close();
  }
}

/** Lines of the program are JSON; those of other programs (PostgreSQL) say FATAL or PANIC. */
export function errorsIn(text: string, now: number): LogGroup[] {
  const groups = new Map<string, { message: string; count: number; last: string }>();
  for (const line of text.split('\n')) {
    const found = errorOf(line);
    if (found === undefined || Math.abs(now - Date.parse(found.time)) > RECENT_MS) continue;
    // One kind of error, whatever its numbers and ids are.
    const kind = found.message.replaceAll(/[0-9a-f-]{8,}|\d+/g, '#');
    const group = groups.get(kind) ?? { message: found.message, count: 0, last: found.time };
    groups.set(kind, { ...group, count: group.count + 1, last: found.time });
  }
  return [...groups.values()].sort((a, b) => b.count - a.count).slice(0, MAX_GROUPS);
}

/** What PostgreSQL says to callers while it starts or stops, which it may. */
const PASSING =
  /^(the database system is (starting up|shutting down|not yet accepting connections)|terminating connection due to administrator command)/;

function errorOf(line: string): { message: string; time: string } | undefined {
  if (line.startsWith('{')) {
    try {
      const entry = JSON.parse(line) as Record<string, unknown>;
      const { level, msg, time, err } = entry as { err?: { message?: unknown } } & Record<string, unknown>;
      if ((level !== 'error' && level !== 'fatal') || typeof time !== 'string') return undefined;
      const cause = typeof err?.message === 'string' ? `: ${err.message}` : '';
      return { message: `${String(msg)}${cause}`.slice(0, MAX_MESSAGE), time };
    } catch {
      return undefined;
    }
  }
  const match = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \w+).*?\b(PANIC|FATAL): +(.*)$/.exec(line);
  if (match === null || PASSING.test(match[3] ?? '')) return undefined;
  return { message: `${match[2]}: ${match[3] ?? ''}`.slice(0, MAX_MESSAGE), time: match[1] ?? '' };
}
