import { execFile } from 'node:child_process';
import { type KubeProgram, kubeProgram } from './kube-programs';

const TIMEOUT_MS = 180_000;
const MAX_OUTPUT = 64 * 1024 * 1024;
/** kubectl runs `diff`. */
const PATH = '/usr/local/bin:/usr/bin:/bin';

export interface ProgramResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface ProgramOptions {
  /** What it reads from its standard input. */
  input?: string;
  timeoutMs?: number;
}

/** kubectl, helm and the like, as those run them who operate a cluster. */
export class KubeClient {
  constructor(
    private readonly kubeconfig: string,
    /** Their home: caches and Helm's settings. */
    private readonly home: string,
  ) {}

  /** Runs it to its end, whatever that is. */
  run(program: KubeProgram, args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
    const { input = '', timeoutMs = TIMEOUT_MS } = options;
    return new Promise((resolve) => {
      const child = execFile(
        kubeProgram(program),
        [...args],
        {
          env: { HOME: this.home, KUBECONFIG: this.kubeconfig, PATH },
          cwd: this.home,
          timeout: timeoutMs,
          maxBuffer: MAX_OUTPUT,
        },
        (error, stdout, stderr) => {
          // A program that was killed has no number.
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
          resolve({ code, stdout, stderr });
        },
      );
      // A program that ends without reading closes the pipe.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
  }

  /** @returns what kubectl printed. @throws Error with what it said when it failed */
  kubectl(args: readonly string[], options: ProgramOptions = {}): Promise<string> {
    return this.succeed('kubectl', args, options);
  }

  /** @returns what helm printed. @throws Error with what it said when it failed */
  helm(args: readonly string[], options: ProgramOptions = {}): Promise<string> {
    return this.succeed('helm', args, options);
  }

  /** Makes objects as they are here, without their defaults. */
  async apply(...objects: readonly object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    await this.kubectl(['apply', '--server-side', '-f', '-'], { input });
  }

  private async succeed(
    program: KubeProgram,
    args: readonly string[],
    options: ProgramOptions,
  ): Promise<string> {
    const { code, stdout, stderr } = await this.run(program, args, options);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr || stdout}`);
    return stdout;
  }
}
