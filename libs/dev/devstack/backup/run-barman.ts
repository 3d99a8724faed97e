import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { barmanArguments, barmanEnvironment, type BarmanTool, locateBackupTools } from './backup-tools';
import { type BackupBucket } from './wal-commands';
import { serverAccount } from '../postgres/system-account';

export interface BarmanRun {
  readonly tool: BarmanTool;
  /** Options before destination and server name, and arguments after them. */
  readonly options?: readonly string[];
  readonly rest?: readonly string[];
  readonly bucket: BackupBucket;
  readonly credentialsFile: string | undefined;
  /** More of its environment: where PostgreSQL is. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Ends it: the reason becomes that of the outcome. */
  readonly signal: AbortSignal;
}

export interface BarmanOutcome {
  /** Null when it was ended. */
  readonly code: number | null;
  /** The last lines that it wrote, of both streams. */
  readonly lines: readonly string[];
}

const TAIL_BYTES = 32 * 1024;
const GRACE_MS = 5_000;

/** Runs one of barman-cloud's programs as PostgreSQL's account, which owns the files that it reads and writes. */
export async function runBarman(run: BarmanRun): Promise<BarmanOutcome> {
  run.signal.throwIfAborted();
  const tools = await locateBackupTools();
  const account = serverAccount();
  const { bucket, credentialsFile } = run;
  const child = spawn(
    tools.python,
    [
      ...barmanArguments(run.tool, bucket),
      ...(run.options ?? []),
      bucket.destination,
      bucket.serverName,
      ...(run.rest ?? []),
    ],
    {
      env: { ...barmanEnvironment(tools, { region: bucket.region, credentialsFile }), ...run.variables },
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: it starts processes that upload, and they must end with it.
      detached: true,
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    },
  );
  let text = '';
  const keep = (chunk: Buffer): void => {
    text = (text + chunk.toString('utf8')).slice(-TAIL_BYTES);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const endAll = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  let killing: NodeJS.Timeout | undefined;
  const end = (): void => {
    endAll('SIGTERM');
    killing = setTimeout(() => endAll('SIGKILL'), GRACE_MS);
  };
  run.signal.addEventListener('abort', end);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, lines: text.split('\n').filter((line) => line.trim() !== '') };
  } finally {
    clearTimeout(killing);
    run.signal.removeEventListener('abort', end);
  }
}
