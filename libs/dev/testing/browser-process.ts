import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Absolute path of the first of these programs that is installed; undefined where there is none. */
export function findProgram(names: readonly string[]): string | undefined {
  for (const name of names) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch {
      // Another name, then.
    }
  }
  return undefined;
}

export interface BrowserStart {
  readonly program: string;
  /** Its arguments, given the folder of its profile. */
  readonly arguments: (profile: string) => readonly string[];
  /** Files that its profile has from the start, by name. */
  readonly profile?: Readonly<Record<string, string>>;
  /** The line on stderr that says where it is driven from; the first group is the URL of a WebSocket. */
  readonly announcement: RegExp;
}

/** A browser without a window, with a profile that nobody else uses and that goes with it. */
export class BrowserProcess {
  private constructor(
    private readonly process: ChildProcess,
    private readonly profile: string,
    readonly endpoint: string,
  ) {}

  /** @throws Error with the last lines that the browser wrote, when it ends instead of starting */
  private static async start(browser: BrowserStart): Promise<BrowserProcess> {
    const profile = await mkdtemp(join(tmpdir(), 'kernel-test-browser-'));
    for (const [name, content] of Object.entries(browser.profile ?? {})) {
      await writeFile(join(profile, name), content);
    }
    const started = spawn(browser.program, browser.arguments(profile), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      const endpoint = await new Promise<string>((resolve, reject) => {
        const said: string[] = [];
        createInterface({ input: started.stderr }).on('line', (line) => {
          said.push(line);
          const found = browser.announcement.exec(line)?.[1];
          if (found !== undefined) resolve(found);
        });
        started.once('exit', (code) =>
          reject(new Error(`${browser.program} ended with ${code}: ${said.slice(-5).join('\n')}`)),
        );
        started.once('error', reject);
      });
      return new BrowserProcess(started, profile, endpoint);
    } catch (error) {
      await rm(profile, { recursive: true, force: true });
      throw error;
    }
  }

  /** Starts a browser for what `begin` makes of it; when that fails, the browser goes too. */
  static async startFor<T>(
    browser: BrowserStart,
    begin: (started: BrowserProcess) => Promise<T>,
  ): Promise<T> {
    const started = await BrowserProcess.start(browser);
    try {
      return await begin(started);
    } catch (error) {
      await started.close();
      throw error;
    }
  }

  /** Ends it and removes its profile. */
  async close(): Promise<void> {
    const isOver = this.process.exitCode !== null || this.process.signalCode !== null;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    if (!isOver) await ended;
    // Its processes for pages end a moment later, and write until then.
    await rm(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
