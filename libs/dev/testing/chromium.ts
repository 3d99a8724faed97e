import { BrowserProcess, findProgram } from './browser-process';
import { describeWith } from './describe-with';
import { DrivenPage } from './driven-page';
import { NumberedCalls } from './numbered-calls';
import { VIRTUAL_AUTHENTICATOR } from './virtual-passkey';

export interface BrowserCookie {
  readonly name: string;
  readonly domain: string;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly sameSite?: string;
}

/** Debian's names for it. */
const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
];

/** Absolute path of the browser; undefined where there is none. */
export const chromiumProgram = findProgram(PROGRAMS);

/** Why there is no Chromium here; null when there is one. */
export const chromiumMissing =
  chromiumProgram === undefined
    ? `there is no ${PROGRAMS.join(', ')} (Debian: apt-get install chromium)`
    : null;

/** A suite that needs a real browser, see describeWith. */
export function describeWithChromium(name: string, suite: () => void): void {
  describeWith({ missing: chromiumMissing }, name, suite);
}

/**
 * A page in a headless Chromium, driven over the DevTools protocol, with a virtual authenticator whose user is always
 * present and verified.
 */
export class BrowserPage extends DrivenPage {
  private constructor(
    private readonly browser: BrowserProcess,
    private readonly calls: NumberedCalls,
    private session: string,
  ) {
    super();
  }

  static open(url: string): Promise<BrowserPage> {
    const start = {
      program: chromiumProgram ?? '',
      arguments: (profile: string) => [
        ...FLAGS,
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        'about:blank',
      ],
      announcement: /^DevTools listening on (ws:\S+)$/,
    };
    return BrowserProcess.startFor(start, async (browser) => {
      const page = new BrowserPage(browser, await NumberedCalls.open(browser.endpoint), '');
      await page.begin(url);
      return page;
    });
  }

  /** Opens the page, with its authenticator, and waits until it is there. */
  private async begin(url: string): Promise<void> {
    const { targetId } = await this.call<{ targetId: string }>('Target.createTarget', { url });
    const { sessionId } = await this.call<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    });
    this.session = sessionId;
    await this.call('WebAuthn.enable');
    await this.call('WebAuthn.addVirtualAuthenticator', { options: VIRTUAL_AUTHENTICATOR });
    await this.until('a page', `document.readyState === 'complete' && location.href !== 'about:blank'`);
  }

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

  async goTo(url: string): Promise<void> {
    const { errorText } = await this.call<{ errorText?: string }>('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
  }

  /** Cookies of the browser, those too that no script sees. */
  async cookies(): Promise<BrowserCookie[]> {
    return (await this.call<{ cookies: BrowserCookie[] }>('Storage.getCookies')).cookies;
  }

  async close(): Promise<void> {
    this.calls.close();
    await this.browser.close();
  }

  private call<T>(method: string, params: object = {}): Promise<T> {
    return this.calls.call(method, params, this.session === '' ? {} : { sessionId: this.session });
  }
}
