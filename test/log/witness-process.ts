import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
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
    const dir = await mkdtemp(join(tmpdir(), 'kernel-witness-test-'));
    guardFolder(dir);
    const { stdout, stderr, code } = await kernelWitness(['init', name, '--dir', join(dir, 'witness')]);
    if (code !== 0) throw new Error(stderr);
    await mkdir(join(dir, 'logs'));
    return new WitnessProcess(dir, stdout.trim(), new BoundedLog(join(dir, 'logs', 'witness.log')));
  }

  get folder(): string {
    return join(this.dir, 'witness');
  }

  /** @param args of `./kernel witness`, beside the folder and the ports */
  async start(args: readonly string[]): Promise<void> {
    const [port, management] = [await freePort(), await freePort()];
    this.url = `http://127.0.0.1:${port}`;
    this.managementUrl = `http://127.0.0.1:${management}`;
    const program = join(await ensureBuilt(), 'apps/cli/main.js');
    const own = [
      '--dir',
      this.folder,
      '--listen',
      `127.0.0.1:${port}`,
      '--management-port',
      String(management),
    ];
    this.child = await startChild({
      command: process.execPath,
      args: [program, 'witness', ...own, ...args],
      env: {},
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
