import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type BuildRecord, programFolder, runningBuild } from '../build/running-build';
import { DevstackError } from '../devstack.error';
import { identityOf, isRunning, type ProcessIdentity, signalProcess } from '../process/process-identity';
import { type ServiceState } from '../process/supervised-service';

/** What one service of a running stack is doing. */
export interface ServiceRecord {
  process: ProcessIdentity | null;
  state: ServiceState;
  restarts: number;
}

/** Record of who runs a state folder, and which processes belong to it. */
export interface RunRecord {
  supervisor: ProcessIdentity;
  startedAt: string;
  /** What it runs, and from which folder. */
  build?: BuildRecord & { folder: string };
  services: Record<string, ServiceRecord>;
}

const FILE = 'run.json';
/** Pause before a record that could not be written is tried again. */
const SAVE_AGAIN_MS = 1_000;

/**
 * The claim of one supervisor on a state folder: `run.json`, which appears whole or not at all and tells a later `up`
 * or `down` which processes are left when the supervisor was killed.
 */
export class RunClaim {
  private again: NodeJS.Timeout | undefined;

  private constructor(
    private readonly file: string,
    private record: RunRecord,
  ) {}

  /** @throws DevstackError `already_running` when another supervisor lives */
  static async take(dir: string): Promise<{ claim: RunClaim; endedLeftovers: string[] }> {
    const file = join(dir, FILE);
    const self = identityOf(process.pid);
    if (self === undefined) throw new Error('the start time of this process is not known');
    const build = runningBuild();
    const record: RunRecord = {
      supervisor: self,
      startedAt: new Date().toISOString(),
      ...(build === undefined ? {} : { build: { ...build, folder: programFolder() } }),
      services: {},
    };
    const endedLeftovers: string[] = [];
    for (;;) {
      const written = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
      writeFileSync(written, JSON.stringify(record, null, 2), { mode: 0o600 });
      try {
        // link, unlike rename, fails when the file exists: exactly one of two supervisors gets it.
        linkSync(written, file);
        return { claim: new RunClaim(file, record), endedLeftovers };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      } finally {
        rmSync(written, { force: true });
      }
      const other = readRun(dir);
      if (other !== undefined && isRunning(other.supervisor)) {
        throw new DevstackError(
          'already_running',
          `The kernel of ${dir} is already running (process ${other.supervisor.pid}); see ./kernel status.`,
          { dir, pid: other.supervisor.pid },
        );
      }
      endedLeftovers.push(...(await endLeftovers(dir)));
    }
  }

  update(name: string, service: ServiceRecord): void {
    this.record = { ...this.record, services: { ...this.record.services, [name]: service } };
    this.save();
  }

  /** A full disk is no reason to end what runs: it is written as soon as it can be. */
  private save(): void {
    clearTimeout(this.again);
    const partial = `${this.file}.partial`;
    try {
      writeFileSync(partial, `${JSON.stringify(this.record, null, 2)}\n`, { mode: 0o600 });
      renameSync(partial, this.file);
    } catch {
      rmSync(partial, { force: true });
      this.again = setTimeout(() => this.save(), SAVE_AGAIN_MS).unref();
    }
  }

  release(): void {
    clearTimeout(this.again);
    rmSync(this.file, { force: true });
  }
}

/**
 * The record of who runs the folder; undefined when no one does.
 * @throws DevstackError `state_broken` when there is a record that cannot be read: something may run
 */
export function readRun(dir: string): RunRecord | undefined {
  const file = join(dir, FILE);
  let text: string;
  let writtenAt: number;
  try {
    text = readFileSync(file, 'utf8');
    writtenAt = statSync(file).mtimeMs;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new DevstackError('no_write_permission', `${file} cannot be read (${code}).`, { file }, { cause });
  }
  const record = parsed(text);
  if (record !== undefined) return record;
  // What ran before the machine was started runs no more. A loss of power may leave an empty file.
  if (writtenAt < Date.now() - uptime() * 1_000) return undefined;
  throw new DevstackError(
    'state_broken',
    `${file} is damaged, so it is not known what runs from ${dir}; end what does (ps -ef), then delete that file.`,
    { file },
  );
}

function parsed(text: string): RunRecord | undefined {
  try {
    const { supervisor, services, ...record } = JSON.parse(text) as RunRecord;
    const isSound = typeof supervisor.pid === 'number' && typeof services === 'object' && services !== null;
    return isSound ? { ...record, supervisor, services } : undefined;
  } catch {
    return undefined;
  }
}

/** How long a process may take after SIGTERM before it is killed. */
const LEFTOVER_GRACE_MS = 15_000;

/**
 * Ends what a supervisor that is gone has left behind and removes its record.
 * @returns the names of the services that still ran
 */
export async function endLeftovers(dir: string): Promise<string[]> {
  const record = readRun(dir);
  const services = Object.entries(record?.services ?? {}).filter(
    (entry): entry is [string, ServiceRecord & { process: ProcessIdentity }] =>
      entry[1].process !== null && isRunning(entry[1].process),
  );
  await Promise.all(
    services.map(async ([name, { process: identity }]) => {
      // PostgreSQL: SIGTERM waits for its clients, SIGINT does not.
      signalProcess(identity, name === 'postgres' ? 'SIGINT' : 'SIGTERM');
      await untilGone(identity, LEFTOVER_GRACE_MS);
      signalProcess(identity, 'SIGKILL');
      await untilGone(identity, LEFTOVER_GRACE_MS);
    }),
  );
  if (record !== undefined) removeRecordOf(dir, record.supervisor);
  else rmSync(join(dir, FILE), { force: true });
  return services.map(([name]) => name);
}

/** Two may clean up at once, and one of them may have taken its claim already: only the old record is removed. */
function removeRecordOf(dir: string, supervisor: ProcessIdentity): void {
  const file = join(dir, FILE);
  const taken = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, taken);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const found = JSON.parse(readFileSync(taken, 'utf8')) as RunRecord;
    if (found.supervisor.startedAt !== supervisor.startedAt) linkSync(taken, file);
  } finally {
    rmSync(taken, { force: true });
  }
}

export async function untilGone(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isRunning(identity)) {
    if (Date.now() > deadline) return false;
    await delay(25);
  }
  return true;
}
