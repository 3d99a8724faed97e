import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  compileCache,
  BoundedLog,
  freePort,
  guardFolder,
  releaseFolder,
  type RunningChild,
  startChild,
} from '#dev/devstack';
import { ensureBuilt, workTree } from '#dev/testing';

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `./kernel witness ...` to its end, without the launcher's own checks. */
export async function kernelWitness(args: readonly string[]): Promise<CliResult> {
  const program = join(await ensureBuilt(), 'apps/cli/main.js');
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, 'witness', ...args],
      { timeout: 60_000 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      },
    );
  });
}

/** Runs the witness's own program to its end, as a container would. */
export async function witnessProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CliResult> {
  const program = join(await ensureBuilt(), 'apps/witness/main.js');
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { timeout: 60_000, env: { ...env, ...compileCache() } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      },
    );
  });
}

/** A witness in a temporary folder, as its own process. */
export class WitnessProcess {
  private child: RunningChild | null = null;
  url = '';
  managementUrl = '';

  private constructor(
    readonly dir: string,
    readonly vkey: string,
    readonly log: BoundedLog,
  ) {}

  static async make(name: string): Promise<WitnessProcess> {
    // Before there is a folder that a failing build would leave behind.
    await ensureBuilt();
    const dir = await mkdtemp(join(tmpdir(), 'kernel-witness-test-'));
    guardFolder(dir);
    const { stdout, stderr, code } = await witnessProgram(['init', name], {
      KERNEL_WITNESS_DIR: join(dir, 'witness'),
    });
    if (code !== 0) throw new Error(stderr);
    await mkdir(join(dir, 'logs'));
    return new WitnessProcess(dir, stdout.trim(), new BoundedLog(join(dir, 'logs', 'witness.log')));
  }

  get settings(): Record<string, string> {
    return { KERNEL_WITNESS_DIR: this.folder };
  }

  /** Writes its list of logs. */
  async know(vkeys: readonly string[]): Promise<void> {
    await writeFile(join(this.folder, 'logs'), vkeys.map((vkey) => `log ${vkey}\n`).join(''));
  }

  get folder(): string {
    return join(this.dir, 'witness');
  }

  /** @param vkeys the logs that it knows @param settings more of them */
  async start(vkeys: readonly string[], settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const [port, management] = [
      Number(settings['KERNEL_LISTEN_PORT'] ?? (await freePort())),
      await freePort(),
    ];
    this.url = `http://127.0.0.1:${port}`;
    this.managementUrl = `http://127.0.0.1:${management}`;
    await this.know(vkeys);
    this.child = await startChild({
      command: process.execPath,
      args: [join(await ensureBuilt(), 'apps/witness/main.js')],
      env: {
        ...this.settings,
        ...compileCache(),
        KERNEL_LISTEN_PORT: String(port),
        KERNEL_MANAGEMENT_HOST: '127.0.0.1',
        KERNEL_MANAGEMENT_PORT: String(management),
        ...settings,
      },
      cwd: workTree(),
      log: this.log,
    });
    for (;;) {
      if (this.child.exit !== undefined) throw new Error(`the witness ended: ${this.log.tail().join('\n')}`);
      const answer = await fetch(`${this.url}/health`).catch(() => null);
      if (answer?.status === 200) return;
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    await this.child?.stop(10_000);
    this.child = null;
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.child?.exited;
    this.child = null;
  }

  /** Value of a metric, by its line up to the value. */
  async metric(line: string): Promise<number> {
    const text = await (await fetch(`${this.managementUrl}/metrics`)).text();
    const found = text.split('\n').find((one) => one.startsWith(`${line} `));
    if (found === undefined) throw new Error(`there is no ${line}`);
    return Number(found.slice(line.length + 1));
  }

  async remove(): Promise<void> {
    await this.stop();
    this.log.close();
    await rm(this.dir, { recursive: true, force: true });
    releaseFolder(this.dir);
  }
}
