import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  compileCache,
  freePortBase,
  isRunning,
  type ProcessIdentity,
  programFolder,
  readRun,
  signalProcess,
  workTree,
} from '#dev/devstack';
import { connectionFrom, type Connection } from '../../api/connection';
import { DrillFault } from './drill-fault';

/** What a command printed. */
export interface Printed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A fault quotes at most so much of what a command printed. */
const SHOWN_CHARACTERS = 600;

/** A kernel that no one needs, in a folder of its own, asked by the same commands that an operator types. */
export class ScratchKernel {
  private constructor(
    /** Removed at the end, with everything in it. */
    readonly folder: string,
  ) {}

  static async create(): Promise<ScratchKernel> {
    const folder = await mkdtemp(join(tmpdir(), 'kernel-drill-'));
    // For root, PostgreSQL runs under another account, which needs access to the folder.
    await chmod(folder, 0o755);
    return new ScratchKernel(folder);
  }

  get state(): string {
    return join(this.folder, 'state');
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** @returns the file */
  async write(name: string, content: object): Promise<string> {
    await writeFile(this.file(name), JSON.stringify(content));
    return this.file(name);
  }

  /** The trust root as it is now. @returns the file */
  async signers(name: string): Promise<string> {
    const { stdout } = await this.succeeds(['keys', 'signers']);
    await writeFile(this.file(name), stdout);
    return this.file(name);
  }

  async up(args: readonly string[]): Promise<void> {
    const portBase = String(await freePortBase());
    await this.succeeds(['up', '--detach', '--port-base', portBase, ...args]);
  }

  /** `./kernel ARGS --state <this one>`. */
  async run(args: readonly string[]): Promise<Printed> {
    return this.start([join(programFolder(), 'apps', 'cli', 'main.js'), ...args, '--state', this.state]);
  }

  /** @throws DrillFault with what it printed, when the command fails */
  async succeeds(args: readonly string[]): Promise<Printed> {
    const printed = await this.run(args);
    if (printed.code !== 0) throw new DrillFault(`./kernel ${args.join(' ')} failed: ${lastWords(printed)}`);
    return printed;
  }

  /** A command that has to be refused. @throws DrillFault when it is not, or not for that reason */
  async refuses(args: readonly string[], reason: string): Promise<void> {
    const printed = await this.run(args);
    if (printed.code !== 0 && (printed.stdout + printed.stderr).includes(reason)) return;
    throw new DrillFault(
      `./kernel ${args.join(' ')} should have been refused with ${reason}: ${lastWords(printed)}`,
    );
  }

  /** tools/audit-verify.js, which knows nothing but the files that it is given. */
  async verifies(args: readonly string[]): Promise<Printed> {
    return this.start([join(workTree(), 'tools', 'audit-verify.js'), ...args]);
  }

  connection(as: string): Promise<Connection> {
    return connectionFrom({ state: this.state, as });
  }

  processOf(service: string): ProcessIdentity {
    const identity = readRun(this.state)?.services[service]?.process;
    if (identity === undefined || identity === null) throw new DrillFault(`${service} does not run`);
    return identity;
  }

  signal(service: string, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    signalProcess(this.processOf(service), signal);
  }

  /** Ends its processes, also stopped ones, and removes its folder. */
  async close(): Promise<void> {
    for (const { process: identity } of Object.values(readRun(this.state)?.services ?? {})) {
      if (identity !== null && isRunning(identity)) signalProcess(identity, 'SIGCONT');
    }
    await this.run(['down']);
    await rm(this.folder, { recursive: true, force: true });
  }

  private async start(args: readonly string[]): Promise<Printed> {
    const child = spawn(process.execPath, [...process.execArgv, ...args], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing of this shell that names another kernel.
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...compileCache() },
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { code, stdout, stderr };
  }
}

function lastWords({ code, stdout, stderr }: Printed): string {
  const said = (stderr.trim() === '' ? stdout : stderr).trim().slice(-SHOWN_CHARACTERS);
  return `exit code ${code}, ${said === '' ? 'without a word' : said}`;
}
