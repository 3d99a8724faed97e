import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BoundedLog, type RunningChild, startChild } from '#dev/devstack';
import { describeWith, workTree } from '#dev/testing';

const run = promisify(execFile);
const BUILD_TIMEOUT_MS = 900_000;
const RUN_TIMEOUT_MS = 60_000;
const PATHS = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
/** What the image's HEALTHCHECK runs. */
export const HEALTH_CHECK = ['/app/entrypoint', 'health'];
/** Who the image's processes are. */
export const IMAGE_USER = 65_532;
const TAG = 'localhost/illuvrse-kernel:test';
/** Programs that build and run images, where Debian's packages put them. */
const PROGRAMS = {
  buildah: '/usr/bin/buildah',
  podman: '/usr/bin/podman',
  runc: '/usr/sbin/runc',
  mmdebstrap: '/usr/bin/mmdebstrap',
};

/** Why images cannot be built and run here, or null when they can. */
export function containersMissing(): string | null {
  const missing = Object.entries(PROGRAMS).filter(([, program]) => !existsSync(program));
  if (missing.length > 0) {
    return `there is no ${missing.map(([name]) => name).join(', ')} (Debian: apt-get install buildah podman runc mmdebstrap)`;
  }
  return process.getuid?.() === 0 ? null : 'images are built and run as root here, and this is another user';
}

/** A suite that builds the image and runs containers of it (describeWith). */
export function describeWithContainers(name: string, suite: () => void): void {
  describeWith({ missing: containersMissing() }, name, suite);
}

/**
 * Builds the image, or takes the one that was built from the same files before. It is kept with the bases, as programs of
 * others are in the user's cache: one image, whatever the number of runs.
 * @returns its id
 */
export async function testImage(): Promise<string> {
  return buildImage(workTree(), TAG);
}

/** The same for the files of another folder. */
export async function buildImage(tree: string, tag: string): Promise<string> {
  const script = join(tree, 'scripts/build-image.sh');
  const { stdout } = await run(script, ['--cached', '--tag', tag], {
    timeout: BUILD_TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.trim();
}

export async function podman(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(PROGRAMS.podman, [...RUNTIME, ...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Without systemd, and with the runtime that needs least of the machine. */
const RUNTIME = ['--runtime', 'runc', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'];
/** runc may not raise them everywhere. */
const ULIMITS = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=4096:4096'];
/** As the chart has it for every pod (Pod Security "restricted"). */
const RESTRICTED = [
  '--read-only',
  '--read-only-tmpfs=false',
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
];

export interface ContainerOptions {
  image: string;
  /** Name of the container, which no other may have. */
  name: string;
  /** What the image is given: the name of a process, and its arguments. */
  args: readonly string[];
  /** Written to a file, so that no list of processes shows it. */
  env: Readonly<Record<string, string>>;
  /** Folders by the path that they have in the container, where they are there; with `:rw` at the end it may write there. */
  mounts?: Readonly<Record<string, string>>;
  /** Folder for its log and its environment. */
  dir: string;
}

export interface PodContainerOptions extends Omit<ContainerOptions, 'mounts'> {
  /** What makes it the container of its pod: user, rights, limits, volumes, network. */
  podman: readonly string[];
}

async function commandOf({ mounts = {}, ...options }: ContainerOptions): Promise<string[]> {
  return podCommand({
    ...options,
    podman: [
      '--network=host',
      ...RESTRICTED,
      ...Object.entries(mounts).flatMap(([path, mount]) => {
        const folder = mount.replace(/:rw$/, '');
        const mode = folder === mount ? 'ro' : 'rw';
        return existsSync(folder) ? [`--volume=${folder}:${path}:${mode}`] : [];
      }),
    ],
  });
}

async function podCommand(options: PodContainerOptions): Promise<string[]> {
  const { image, name, args, env, dir, podman: how } = options;
  await mkdir(dir, { recursive: true });
  const environment = join(dir, `${name}.env`);
  const lines = Object.entries(env).map(([variable, value]) => {
    if (value.includes('\n'))
      throw new Error(`${variable} has several lines, which a list of variables has not`);
    return `${variable}=${value}\n`;
  });
  await writeFile(environment, lines.join(''), { mode: 0o600 });
  return [
    ...RUNTIME,
    'run',
    '--rm',
    `--name=${name}`,
    // A timer of systemd would ask; tests do.
    '--no-healthcheck',
    ...ULIMITS,
    ...how,
    `--env-file=${environment}`,
    image,
    ...args,
  ];
}

export interface RunOnce {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a container to its end; one that does not end is killed. */
export async function runOnce(options: ContainerOptions): Promise<RunOnce> {
  const args = await commandOf(options);
  const limits = { timeout: RUN_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024, env: PATHS };
  return await run(PROGRAMS.podman, args, limits).then(
    (output) => ({ code: 0, ...output }),
    ({ code, stdout, stderr }: RunOnce) => ({ code, stdout, stderr }),
  );
}

/** A container of the image on the host's network, which is gone when it ends. */
export class Container {
  private constructor(
    readonly name: string,
    private readonly child: RunningChild,
    private readonly log: BoundedLog,
  ) {}

  /** Starts it without waiting for what is in it. */
  static async start(options: ContainerOptions): Promise<Container> {
    return Container.run(options, await commandOf(options));
  }

  /** The same for the container of a pod. */
  static async ofPod(options: PodContainerOptions): Promise<Container> {
    return Container.run(options, await podCommand(options));
  }

  private static async run(
    { name, dir }: Pick<ContainerOptions, 'name' | 'dir'>,
    args: readonly string[],
  ): Promise<Container> {
    const log = new BoundedLog(join(dir, `${name}.log`));
    const child = await startChild({ command: PROGRAMS.podman, args, env: PATHS, cwd: dir, log });
    return new Container(name, child, log);
  }

  /** What it has written so far. */
  said(): string {
    return this.log.tail(200).join('\n');
  }

  /** Settles when it has ended, or at once. */
  async exited(): ReturnType<RunningChild['stop']> {
    const exit = await this.child.exited;
    this.log.close();
    return exit;
  }

  get hasEnded(): boolean {
    return this.child.exit !== undefined;
  }

  /** Asks as the image's HEALTHCHECK does. @returns 0 when it is well */
  async health(): Promise<number> {
    return await podman('exec', this.name, ...HEALTH_CHECK).then(
      () => 0,
      ({ code }: { code: number }) => code,
    );
  }

  /** As when its node loses power. */
  async kill(): Promise<void> {
    await podman('kill', '--signal=KILL', this.name);
    await this.exited();
  }

  /** As Kubernetes does: SIGTERM to the init. @returns the exit code */
  async stop(): Promise<number | null> {
    if (!this.hasEnded) await podman('kill', '--signal=TERM', this.name);
    return (await this.exited()).code;
  }

  /** At the end of a test: whatever state it is in. */
  async remove(): Promise<void> {
    if (!this.hasEnded) await podman('rm', '--force', '--time=0', this.name).catch(() => undefined);
    await this.exited();
  }
}
