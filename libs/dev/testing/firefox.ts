import { BrowserProcess, findProgram } from './browser-process';
import { describeWith } from './describe-with';
import { DrivenPage } from './driven-page';
import { NumberedCalls } from './numbered-calls';

/** Debian's name for it, and everybody's. */
const PROGRAMS = ['firefox-esr', 'firefox'];
/** What Firefox does not set by itself when it is driven: a page of its own at the first start, and calls home. */
const PREFERENCES = {
  'browser.aboutwelcome.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'http://127.0.0.1:1',
};
const REPORTS = 'kernelTestReports';
const NOTE_REPORTS = `() => {
  globalThis.${REPORTS} = [];
  addEventListener('securitypolicyviolation', (event) => {
    globalThis.${REPORTS}.push('CSP ' + event.violatedDirective + ': ' + event.blockedURI);
  });
  addEventListener('error', (event) => globalThis.${REPORTS}.push('error: ' + event.message));
  addEventListener('unhandledrejection', (event) => globalThis.${REPORTS}.push('error: ' + event.reason));
}`;

const program = findProgram(PROGRAMS);

/** A suite that needs a real Firefox, see describeWith. */
export function describeWithFirefox(name: string, suite: () => void): void {
  const missing =
    program === undefined ? `there is no ${PROGRAMS.join(', ')} (Debian: apt-get install firefox-esr)` : null;
  describeWith({ missing }, name, suite);
}

type Evaluated =
  | { readonly type: 'success'; readonly result: { readonly value: string } }
  | { readonly type: 'exception'; readonly exceptionDetails: { readonly text: string } };

/** A page in a headless Firefox, driven over WebDriver BiDi (w3.org/TR/webdriver-bidi), which Firefox speaks by itself. */
export class FirefoxPage extends DrivenPage {
  private readonly answers = new Map<string, { type: string; body: string }>();

  private constructor(
    private readonly browser: BrowserProcess,
    private readonly calls: NumberedCalls,
    private readonly context: string,
  ) {
    super();
    calls.on<{ isBlocked: boolean; request: { request: string; url: string } }>(
      'network.beforeRequestSent',
      ({ isBlocked, request }) => {
        const answer = this.answers.get(request.url);
        if (!isBlocked || answer === undefined) return;
        // A page that was left meanwhile wants no answer.
        this.calls
          .call('network.provideResponse', {
            request: request.request,
            statusCode: 200,
            reasonPhrase: 'OK',
            headers: [{ name: 'Content-Type', value: { type: 'string', value: answer.type } }],
            body: { type: 'string', value: answer.body },
          })
          .catch(() => undefined);
      },
    );
  }

  static open(url: string): Promise<FirefoxPage> {
    const start = {
      program: program ?? '',
      arguments: (profile: string) => [
        '--headless',
        '--no-remote',
        '--remote-debugging-port=0',
        '--profile',
        profile,
        'about:blank',
      ],
      profile: {
        'user.js': Object.entries(PREFERENCES)
          .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
          .join(''),
      },
      announcement: /^WebDriver BiDi listening on (ws:\S+)$/,
    };
    return BrowserProcess.startFor(start, async (browser) => {
      const calls = await NumberedCalls.open(`${browser.endpoint}/session`);
      await calls.call('session.new', { capabilities: {} });
      const { contexts } = await calls.call<{ contexts: { context: string }[] }>('browsingContext.getTree');
      await calls.call('script.addPreloadScript', { functionDeclaration: NOTE_REPORTS });
      const page = new FirefoxPage(browser, calls, contexts[0]?.context ?? '');
      await page.goTo(url);
      return page;
    });
  }

  async run<T>(expression: string): Promise<T> {
    const answer = await this.calls.call<Evaluated>('script.evaluate', {
      expression: `(async () => JSON.stringify(await (${expression})) ?? 'null')()`,
      target: { context: this.context },
      awaitPromise: true,
      userActivation: true,
      resultOwnership: 'none',
    });
    if (answer.type === 'exception') throw new Error(answer.exceptionDetails.text);
    return JSON.parse(answer.result.value) as T;
  }

  async goTo(url: string): Promise<void> {
    await this.calls.call('browsingContext.navigate', { context: this.context, url, wait: 'complete' });
  }

  /** Gives files on the disk to the field that a CSS selector names, as a person chooses them. */
  async choose(selector: string, files: readonly string[]): Promise<void> {
    await this.until(`the field ${selector}`, `document.querySelector(${JSON.stringify(selector)}) !== null`);
    const { nodes } = await this.calls.call<{ nodes: { sharedId: string }[] }>(
      'browsingContext.locateNodes',
      {
        context: this.context,
        locator: { type: 'css', value: selector },
      },
    );
    const element = { sharedId: nodes[0]?.sharedId };
    await this.calls.call('input.setFiles', { context: this.context, element, files });
  }

  /** Has requests for an address answered with this from now on, in place of the server. */
  async answer(url: string, type: string, body: string): Promise<void> {
    this.answers.set(url, { type, body });
    await this.calls.call('session.subscribe', { events: ['network.beforeRequestSent'] });
    await this.calls.call('network.addIntercept', {
      phases: ['beforeRequestSent'],
      urlPatterns: [{ type: 'string', pattern: url }],
    });
  }

  /** What the policy of the page that is seen now refused, and errors of its scripts. */
  problems(): Promise<string[]> {
    return this.run(`globalThis.${REPORTS}`);
  }

  async close(): Promise<void> {
    this.calls.close();
    await this.browser.close();
  }
}
