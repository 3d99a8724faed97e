import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { workTree } from '#dev/testing';
import { finished, type Result } from './launcher.driver';

/** Parts of the work tree that ./kernel needs, apart from node_modules. */
const NEEDED = [
  ...['kernel', 'scripts', 'apps', 'libs', 'openapi', 'tools'],
  ...['package.json', 'package-lock.json', '.npmrc', '.swcrc', 'tsconfig.json'],
];

/** A copy of the work tree as a new clone would have it, with the installed packages of this one. */
export class WorkTreeCopy {
  private constructor(
    /** Removed at the end; the copy is in it, with a blank in its name. */
    readonly scratch: string,
    readonly tree: string,
  ) {}

  static async create(): Promise<WorkTreeCopy> {
    const scratch = await mkdtemp(join(tmpdir(), 'kernel tree-'));
    // For root, PostgreSQL runs under another account, which needs access to the folder.
    await chmod(scratch, 0o755);
    const tree = join(scratch, 'a clone');
    await mkdir(join(tree, 'test'), { recursive: true });
    for (const name of NEEDED) await cp(join(workTree(), name), join(tree, name), { recursive: true });
    await symlink(join(workTree(), 'node_modules'), join(tree, 'node_modules'));
    return new WorkTreeCopy(scratch, tree);
  }

  start(
    args: readonly string[],
    options: { script?: string; env?: Record<string, string>; cwd?: string; detached?: true } = {},
  ): ChildProcess {
    return spawn(options.script ?? join(this.tree, 'kernel'), args, {
      cwd: options.cwd ?? this.scratch,
      stdio: 'pipe',
      detached: options.detached === true,
      env: {
        PATH: `${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`,
        HOME: this.scratch,
        ...options.env,
      },
    });
  }

  kernel(args: readonly string[], options: { script?: string; env?: Record<string, string> } = {}) {
    return finished(this.start(args, options));
  }

  /** Like `kernel`, with the output about building. */
  async kernelInFull(...call: Parameters<WorkTreeCopy['kernel']>): Promise<Result> {
    const child = this.start(...call);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    return { ...(await finished(child)), stderr };
  }

  /** Changes the sources, so that the next call builds. */
  async changeSources(): Promise<void> {
    await writeFile(join(this.tree, 'test', 'change.ts'), `export const changed = ${Math.random()};\n`);
  }

  /** The names of all builds, without the remains of interrupted ones. */
  async builds(): Promise<string[]> {
    return (await readdir(join(this.tree, '.build', 'builds'))).filter((name) => !name.includes('.'));
  }

  async newestBuild(): Promise<string> {
    return basename(await readlink(join(this.tree, 'dist')));
  }

  async remove(): Promise<void> {
    await rm(this.scratch, { recursive: true, force: true });
  }
}

/** A folder of shell scripts by name, for the front of the PATH. */
export async function folderOfPrograms(
  scratch: string,
  programs: Readonly<Record<string, string>>,
): Promise<string> {
  const bin = await mkdtemp(join(scratch, 'bin-'));
  for (const [name, body] of Object.entries(programs)) await writeProgram(bin, name, body);
  return bin;
}

export async function writeProgram(bin: string, name: string, body: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${body}\n`);
  await chmod(join(bin, name), 0o755);
}
