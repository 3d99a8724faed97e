import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  freePortBase,
  guardFolder,
  guardProcess,
  isRunning,
  type ProcessIdentity,
  readRun,
  releaseFolder,
  type RunRecord,
} from '#dev/devstack';
import { workTree } from '#dev/testing';

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Drives the real ./kernel as a person does, with a state folder of its own. */
export class Launcher {
  private constructor(
    /** Removed at the end, with everything in it. */
    readonly scratch: string,
    readonly portBase: number,
    readonly script: string,
  ) {}

  static async create(script = join(workTree(), 'kernel')): Promise<Launcher> {
    const scratch = await mkdtemp(join(tmpdir(), 'kernel-test-launcher of-'));
    guardFolder(scratch);
    // For root, PostgreSQL runs under another account, which needs access to the folder.
    await chmod(scratch, 0o755);
    return new Launcher(scratch, await freePortBase(), script);
  }

  /** Another version's ./kernel on the same state and ports. */
  withScript(script: string): Launcher {
    return new Launcher(this.scratch, this.portBase, script);
  }

  get state(): string {
    return join(this.scratch, 'state');
  }

  run(args: readonly string[], options: { cwd?: string; env?: Record<string, string>; input?: string } = {}) {
    return finished(this.start(args, options), options.input);
  }

  /** `run` with `--state`. */
  on(verb: string, ...args: string[]): Promise<Result> {
    const words = verb.split(' ');
    return this.run([...words, '--state', this.state, ...args]);
  }

  async up(...args: string[]): Promise<Result> {
    const result = await this.on('up', '--detach', '--port-base', String(this.portBase), ...args);
    // It is meant to outlive the process that started it, but not the test.
    const supervisor = readRun(this.state)?.supervisor;
    if (supervisor !== undefined) guardProcess(supervisor.pid, 'SIGTERM');
    return result;
  }

  /** `up` as preparation for a test: when it fails, it throws with all its output. */
  async upReady(...args: string[]): Promise<Result> {
    const result = await this.up(...args);
    if (result.code === 0) return result;
    throw new Error(`./kernel up ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  }

  /** @param program what is started; default ./kernel */
  start(
    args: readonly string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
    program = this.script,
  ): ChildProcess {
    return spawn(program, args, {
      cwd: options.cwd ?? this.scratch,
      stdio: 'pipe',
      ...(options.env === undefined ? {} : { env: options.env }),
    });
  }

  /** Record that the state folder's supervisor has written. */
  runRecord(): RunRecord {
    const record = readRun(this.state);
    if (record === undefined) throw new Error(`nothing runs in ${this.state}`);
    return record;
  }

  processOf(service: string): ProcessIdentity {
    const identity = this.runRecord().services[service]?.process;
    if (identity === undefined || identity === null) throw new Error(`${service} does not run`);
    return identity;
  }

  async stop(): Promise<void> {
    await this.on('down');
    await rm(this.scratch, { recursive: true, force: true });
    releaseFolder(this.scratch);
  }
}

export async function finished(child: ChildProcess, input?: string): Promise<Result> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  // Printed when a source was edited since the last call, as happens on a developer's machine while the tests run.
  return { code, stdout, stderr: stderr.replaceAll(/^kernel: (building|waiting for another .*)\n/gm, '') };
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50);
}

export async function gone(...processes: ProcessIdentity[]): Promise<void> {
  await until(() => !processes.some(isRunning));
}
