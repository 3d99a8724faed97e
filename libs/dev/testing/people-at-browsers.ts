import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { chromiumProgram } from './chromium';

export interface ViewOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
}

/** A page with what went wrong in it. */
export interface OpenPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page's Content-Security-Policy refused, and errors of its scripts; a page that works has none. */
  problems(): Promise<string[]>;
  /** Violations of WCAG 2.2 AA that axe-core finds in what is seen now. */
  violations(): Promise<string[]>;
}

const REPORTS = 'kernelTestReports';
const NOTE_REPORTS = `
  globalThis.${REPORTS} = [];
  addEventListener('securitypolicyviolation', (event) => {
    globalThis.${REPORTS}.push('CSP ' + event.violatedDirective + ': ' + event.blockedURI + ' ' + event.sourceFile + ':' + event.lineNumber);
  });
`;
const RUN_AXE = `axe.run(document, {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
}).then(({ violations }) => violations.flatMap(({ id, help, nodes }) =>
  nodes.map(({ target, failureSummary }) => id + ': ' + help + ' at ' + target.join(' ') + ' (' + failureSummary.replaceAll(/\\s+/g, ' ') + ')')))`;

/** People, each with a browser profile of their own, at one real Chromium without a window. */
export class PeopleAtBrowsers {
  private constructor(
    private readonly browser: Browser,
    readonly origin: string,
  ) {}

  static async start(origin: string): Promise<PeopleAtBrowsers> {
    const browser = await chromium.launch({
      executablePath: chromiumProgram ?? '',
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    });
    return new PeopleAtBrowsers(browser, origin);
  }

  async close(): Promise<void> {
    await this.browser.close();
  }

  /** A new profile with one page, which shows nothing yet. */
  async open({ width = 1280, height = 900, colorScheme = 'light' }: ViewOptions = {}): Promise<OpenPage> {
    const context = await this.browser.newContext({
      baseURL: this.origin,
      viewport: { width, height },
      colorScheme,
      reducedMotion: 'reduce',
      timezoneId: 'Europe/Berlin',
      locale: 'en-GB',
    });
    await context.addInitScript(NOTE_REPORTS);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(`error: ${error.message}`));
    return {
      page,
      context,
      problems: async () => [...errors, ...(await page.evaluate<string[]>(`globalThis.${REPORTS}`))],
      violations: async () => {
        // Through the debugger, which the page's policy does not bind.
        await page.evaluate(axeSource());
        return await page.evaluate<string[]>(RUN_AXE);
      },
    };
  }

  /** Signs in by the pages' own button and the development identity provider, and comes back to a path. */
  async signIn(person: string, path = '/', options: ViewOptions = {}): Promise<OpenPage> {
    const open = await this.open(options);
    await open.page.goto(path);
    await open.page.getByRole('link', { name: 'Sign in' }).click();
    await this.choose(open.page, person);
    return open;
  }

  /** Presses a person's button at the provider, and waits until the kernel's page is back. */
  async choose(page: Page, person: string): Promise<void> {
    await page.getByRole('button', { name: person, exact: true }).click();
    await page.waitForURL((url) => url.origin === this.origin && !url.pathname.startsWith('/auth/'));
  }
}

let source: string | undefined;

function axeSource(): string {
  source ??= readFileSync(createRequire(__filename).resolve('axe-core/axe.min.js'), 'utf8');
  return source;
}
