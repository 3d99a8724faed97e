import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, chmod, constants, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ARCHIVES, type ArchiveChoice } from './stack-archive';
import { DEFAULT_PORT_BASE } from './stack-ports';
import { type SignerChoice, SIGNERS } from './stack-signer';
import { STREAMS, type StreamChoice } from './stack-stream';
import { diskProblem } from '#platform/process';
import { writePrivate } from '../certificates/private-file';
import { DevstackError } from '../devstack.error';

/** What stays the same for the life of a state folder. */
export interface StateRecord {
  format: 1;
  /** Names this kernel in every hash and signature; each state folder is a kernel of its own. */
  origin: string;
  signer: SignerChoice;
  shards: number;
  /** Consumers keep their positions in terms of the stream, and the archive is whole in one place only. */
  stream: StreamChoice;
  archive: ArchiveChoice;
  /** The one used last; may be changed by every `up`. */
  portBase: number;
  /** When the kernel was ready for the first time (RFC 3339): from then on there is a chain that must not vanish. */
  establishedAt: string | null;
}

/** What a person may choose; the rest of the record follows. */
export interface StateChoices {
  signer?: SignerChoice;
  shards?: number;
  stream?: StreamChoice;
  archive?: ArchiveChoice;
  portBase?: number;
}

const FILE = 'state.json';

/** The files of one development kernel. */
export class StateFolder {
  private constructor(
    readonly dir: string,
    private current: StateRecord,
  ) {}

  get record(): StateRecord {
    return this.current;
  }

  /**
   * Makes sure that a kernel's state may live in the folder: it is ours already or new, and can be written to. Writes
   * nothing into it.
   */
  static async check(path: string, wanted: StateChoices): Promise<void> {
    const dir = resolve(path);
    await makeWritable(dir);
    const full = await diskProblem(dir);
    if (full !== null) throw new DevstackError('disk_full', full, { dir });
    const existing = await readRecord(dir);
    if (existing === undefined) {
      const foreign = (await readdir(dir)).filter((name) => name !== 'logs' && !name.startsWith('run.json'));
      if (foreign.length > 0) {
        throw new DevstackError(
          'state_broken',
          `${dir} is not empty and holds no kernel state (no ${FILE}); choose another folder with --state.`,
          { dir },
        );
      }
      return;
    }
    for (const name of ['signer', 'shards', 'stream', 'archive'] as const) {
      if (wanted[name] !== undefined && wanted[name] !== existing[name]) {
        throw new DevstackError(
          'unsupported_option',
          `${dir} was made with --${name} ${existing[name]}, which cannot be changed to ${wanted[name]}; choose another folder with --state.`,
          { dir, recorded: existing[name], wanted: wanted[name] },
        );
      }
    }
  }

  /** Takes up the folder, or makes it with the given choices when new. Only for the process with the RunClaim. */
  static async openOrCreate(path: string, wanted: StateChoices): Promise<StateFolder> {
    const dir = resolve(path);
    await StateFolder.check(dir, wanted);
    const existing = await readRecord(dir);
    const record: StateRecord = {
      format: 1,
      origin: existing?.origin ?? `dev.kernel.localhost/${randomBytes(4).toString('hex')}`,
      signer: existing?.signer ?? wanted.signer ?? 'software',
      shards: existing?.shards ?? wanted.shards ?? 1,
      stream: existing?.stream ?? wanted.stream ?? 'postgres',
      archive: existing?.archive ?? wanted.archive ?? 'fs',
      portBase: wanted.portBase ?? existing?.portBase ?? DEFAULT_PORT_BASE,
      establishedAt: existing?.establishedAt ?? null,
    };
    if (JSON.stringify(record) !== JSON.stringify(existing)) await writeRecord(dir, record);
    return new StateFolder(dir, record);
  }

  /** The folder as it is, or undefined when there is no kernel state in it. */
  static async find(path: string): Promise<StateFolder | undefined> {
    const dir = resolve(path);
    const record = await readRecord(dir);
    return record === undefined ? undefined : new StateFolder(dir, record);
  }

  /** Notes that there is a chain now. */
  async establish(now: Date = new Date()): Promise<void> {
    if (this.current.establishedAt !== null) return;
    this.current = { ...this.current, establishedAt: now.toISOString() };
    await writeRecord(this.dir, this.current);
  }

  /** There was a chain, its database is gone, and its archive is not: it can be rebuilt from there. */
  get isDatabaseLost(): boolean {
    return (
      this.current.establishedAt !== null &&
      !existsSync(join(this.postgres, 'data', 'PG_VERSION')) &&
      // A bucket elsewhere cannot be checked here; the replay will tell.
      (this.current.archive === 's3' || existsSync(join(this.archive, 'audit')))
    );
  }

  /**
   * A chain without its database, or without the keys that its registry names, is not made again under the same origin:
   * that would be another chain that claims to be this one.
   */
  assertComplete(): void {
    if (this.current.establishedAt === null) return;
    const needed = {
      ...(this.isDatabaseLost ? {} : { 'the database': join(this.postgres, 'data', 'PG_VERSION') }),
      ...this.signingKeyPaths,
      ...(this.isDatabaseLost ? {} : { 'what authenticates the rows of the database': this.rowKey }),
      'what the signing proxy remembers': join(this.signingMarks, 'high-water-marks'),
    };
    for (const [what, path] of Object.entries(needed)) {
      if (existsSync(path)) continue;
      throw new DevstackError(
        'state_broken',
        `${path} is missing, and with it ${what} of the chain ${this.current.origin}; restore it, or choose another folder with --state.`,
        { path, origin: this.current.origin },
      );
    }
  }

  private get signingKeyPaths(): Record<string, string> {
    switch (this.current.signer) {
      case 'software':
        return { 'the signing keys': this.signingKeys };
      case 'pkcs11':
        return { 'the signing keys': join(this.softHsm, 'tokens') };
      case 'vault-transit':
        return {
          'the signing keys': join(this.openBao, 'data', 'vault.db'),
          'what unseals the signing keys': join(this.openBao, 'unseal.json'),
        };
    }
  }

  get identities(): string {
    return join(this.dir, 'identities');
  }
  get postgres(): string {
    return join(this.dir, 'postgres');
  }
  get signingKeys(): string {
    return join(this.dir, 'signing-keys');
  }
  get signingMarks(): string {
    return join(this.dir, 'signing-marks');
  }
  get rowKey(): string {
    return join(this.dir, 'row.key');
  }
  get softHsm(): string {
    return join(this.dir, 'softhsm');
  }
  get openBao(): string {
    return join(this.dir, 'openbao');
  }
  get archive(): string {
    return join(this.dir, 'archive');
  }
  get logs(): string {
    return join(this.dir, 'logs');
  }
  /** The environment of the auditor, for audits on demand. */
  get auditorEnvironmentFile(): string {
    return join(this.dir, 'auditor.env');
  }
  /** Where backups of the database go, with the credentials for them. */
  get backupEnvironmentFile(): string {
    return join(this.dir, 'backup.env');
  }
  get environmentFile(): string {
    return join(this.dir, 'kernel.env');
  }
}

async function makeWritable(dir: string): Promise<void> {
  try {
    await makeFolders(dir);
    if (!(await stat(dir)).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
    await access(dir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new DevstackError(
        'state_broken',
        `${dir} is not a folder; choose another one with --state.`,
        { dir },
        { cause },
      );
    }
    throw new DevstackError(
      'no_write_permission',
      `No permission to write to ${existsSync(dir) ? dir : dirname(dir)} (${code}); choose another folder with --state.`,
      { dir },
      { cause },
    );
  }
}

/** mkdir({ recursive: true }) of Node.js 24 never ends where a folder that exists answers ENOENT, as /proc does. */
async function makeFolders(dir: string): Promise<void> {
  if (existsSync(dir)) return;
  await makeFolders(dirname(dir));
  try {
    await mkdir(dir, { mode: 0o755 });
    // Not what the umask leaves of it: PostgreSQL's account has to get in. What is secret below has modes of its own.
    await chmod(dir, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

async function readRecord(dir: string): Promise<StateRecord | undefined> {
  const file = join(dir, FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new DevstackError('no_write_permission', `${file} cannot be read (${code}).`, { file }, { cause });
  }
  try {
    // Folders from before there was a choice have what is the default now.
    const record = Object.assign({ stream: 'postgres', archive: 'fs' }, JSON.parse(text) as StateRecord);
    const sound =
      record.format === 1 &&
      typeof record.origin === 'string' &&
      SIGNERS.includes(record.signer) &&
      STREAMS.includes(record.stream) &&
      ARCHIVES.includes(record.archive) &&
      Number.isInteger(record.shards) &&
      ['string', 'object', 'undefined'].includes(typeof record.establishedAt) &&
      Number.isInteger(record.portBase);
    if (!sound) throw new Error('members are missing or wrong');
    return { ...record, establishedAt: record.establishedAt ?? null };
  } catch (cause) {
    throw new DevstackError(
      'state_broken',
      `${file} is damaged (${(cause as Error).message}); restore it, or choose another folder with --state.`,
      { file },
      { cause },
    );
  }
}

async function writeRecord(dir: string, record: StateRecord): Promise<void> {
  await writePrivate(join(dir, FILE), `${JSON.stringify(record, null, 2)}\n`);
}
