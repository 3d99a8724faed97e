import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { describeWith } from './describe-with';

/** Longest wait for a page. */
const PAGE_MS = 20_000;

export interface BrowserCookie {
  readonly name: string;
  readonly domain: string;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly sameSite?: string;
}

/** Debian's names for it. */
const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];

function findChromium(): string | undefined {
  for (const program of PROGRAMS) {
    try {
      return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    } catch {
      // Another name, then.
    }
  }
  return undefined;
}

/** Absolute path of the browser; undefined where there is none. */
export const chromiumProgram = findChromium();
const program = chromiumProgram;

/** A suite that needs a real browser, see describeWith. */
export function describeWithChromium(name: string, suite: () => void): void {
  const missing =
    program === undefined ? `there is no ${PROGRAMS.join(', ')} (Debian: apt-get install chromium)` : null;
  describeWith({ missing }, name, suite);
}

/**
 * A page in a headless Chromium, driven over the DevTools protocol, with a virtual authenticator whose user is always
 * present and verified.
 */
export class BrowserPage {
  private id = 0;
  private readonly waiting = new Map<
    number,
    { resolve: (value: never) => void; reject: (error: Error) => void }
  >();

  private constructor(
    private readonly browser: ChildProcess,
    private readonly socket: WebSocket,
    private readonly profile: string,
    private session: string,
  ) {
    socket.addEventListener('message', ({ data }) => {
      const { id, result, error } = JSON.parse(String(data)) as {
        id?: number;
        result: never;
        error?: { message: string };
      };
      const call = this.waiting.get(id ?? -1);
      if (call === undefined) return;
      this.waiting.delete(id ?? -1);
      if (error === undefined) call.resolve(result);
      else call.reject(new Error(error.message));
    });
  }

  static async open(url: string): Promise<BrowserPage> {
    const profile = await mkdtemp(join(tmpdir(), 'kernel-test-chromium-'));
    const flags = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
    ];
    const args = [...flags, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'];
    const browser = spawn(program ?? '', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const endpoint = await new Promise<string>((resolve, reject) => {
      const said: string[] = [];
      createInterface({ input: browser.stderr }).on('line', (line) => {
        said.push(line);
        const found = /^DevTools listening on (ws:\S+)$/.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      });
      browser.once('exit', (code) =>
        reject(new Error(`Chromium ended with ${code}: ${said.slice(-5).join('\n')}`)),
      );
      browser.once('error', reject);
    });
    const socket = new WebSocket(endpoint);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error(`${endpoint} cannot be reached`)), {
        once: true,
      });
    });
    const page = new BrowserPage(browser, socket, profile, '');
    const { targetId } = await page.call<{ targetId: string }>('Target.createTarget', { url });
    const { sessionId } = await page.call<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    });
    page.session = sessionId;
    await page.call('WebAuthn.enable');
    await page.call('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await page.run(
      'new Promise((done) => document.readyState === "complete" ? done() : addEventListener("load", done))',
    );
    return page;
  }

  /** The value of an expression in the page, as JSON; a promise is waited for. */
  async run<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.call<{
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string } };
    }>('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true, userGesture: true });
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? 'the page threw something');
    }
    return result.value;
  }

  /** Opens another page, and waits until it is there. */
  async goTo(url: string): Promise<void> {
    const { errorText } = await this.call<{ errorText?: string }>('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
  }

  /** Presses the button or follows the link with this text, as soon as the page has it. */
  async press(label: string): Promise<void> {
    const text = JSON.stringify(label);
    await this.until(
      `the button ${text}`,
      `(() => {
        const found = [...document.querySelectorAll('button, a')].find((one) => one.textContent.trim() === ${text});
        found?.click();
        return found !== undefined;
      })()`,
    );
  }

  /** The page's address and text, once the text contains this. */
  async shows(text: string): Promise<{ url: string; text: string }> {
    await this.until(
      `the text ${JSON.stringify(text)}`,
      `document.readyState === 'complete' && document.body.innerText.includes(${JSON.stringify(text)})`,
    );
    return this.run('({ url: location.href, text: document.body.innerText })');
  }

  /** Cookies of the browser, those too that no script sees. */
  async cookies(): Promise<BrowserCookie[]> {
    return (await this.call<{ cookies: BrowserCookie[] }>('Storage.getCookies')).cookies;
  }

  /** Waits until an expression is true. While one page gives way to the next, there is none to ask. */
  private async until(what: string, expression: string): Promise<void> {
    const deadline = Date.now() + PAGE_MS;
    while (!(await this.run<boolean>(expression).catch(() => false))) {
      if (Date.now() > deadline) {
        const text = await this.run<string>('location.href + "\\n" + document.body.innerText');
        throw new Error(`the page does not show ${what}: ${text.slice(0, 500)}`);
      }
      await delay(50);
    }
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.browser.once('exit', resolve));
    this.socket.close();
    this.browser.kill('SIGKILL');
    await ended;
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  private call<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.id;
    const answer = new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve, reject });
    });
    const session = this.session === '' ? {} : { sessionId: this.session };
    this.socket.send(JSON.stringify({ id, method, params, ...session }));
    return answer;
  }
}
