import { type OpenPage } from '#dev/testing';

/** Longest wait for what is measured. */
const STANDS_MS = 60_000;
/** Where the next page finds which condition it is opened for. */
const ASKED = 'kernelBenchAsked';

/**
 * Runs in the page, before its own scripts: notes when a condition is first true, as soon as the document changes, and when
 * the browser has drawn that. No call over the debugger is in between.
 */
const CLOCK = `
  globalThis.kernelBenchClock = (from, condition) => new Promise((stands, fails) => {
    const late = setTimeout(() => {
      observer.disconnect();
      fails(new Error('it did not stand within ${STANDS_MS} ms: ' + document.body?.innerText.slice(0, 500)));
    }, ${STANDS_MS});
    const look = () => {
      if (!condition()) return;
      observer.disconnect();
      clearTimeout(late);
      requestAnimationFrame(() => setTimeout(() => stands(performance.now() - from)));
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    look();
  });
`;

/** Measures how long a person waits for a page, in the page itself. */
export class PageClock<Condition extends string> {
  private constructor(
    private readonly open: OpenPage,
    private readonly conditions: Readonly<Record<Condition, string>>,
  ) {}

  /**
   * @param open a page of the site that is measured
   * @param conditions functions of the page's JavaScript, by name: whether what is waited for is there
   */
  static async of<Condition extends string>(
    open: OpenPage,
    conditions: Readonly<Record<Condition, string>>,
  ): Promise<PageClock<Condition>> {
    const byName = Object.entries<string>(conditions).map(
      ([name, text]) => `${JSON.stringify(name)}: ${text}`,
    );
    await open.context.addInitScript(`${CLOCK}
      (() => {
        const asked = { ${byName.join(', ')} }[sessionStorage.getItem('${ASKED}')];
        // Time begins with the navigation.
        if (asked !== undefined) globalThis.kernelBenchLoad = kernelBenchClock(0, asked);
      })();`);
    return new PageClock(open, conditions);
  }

  /** Opens a path. @returns milliseconds from the beginning of the navigation until what is waited for was drawn */
  async load(path: string, condition: Condition): Promise<number> {
    const { page } = this.open;
    await page.evaluate(`sessionStorage.setItem('${ASKED}', ${JSON.stringify(condition)})`);
    await page.goto(path, { waitUntil: 'commit' });
    const ms = await page.evaluate<number>('kernelBenchLoad');
    await page.evaluate(`sessionStorage.removeItem('${ASKED}')`);
    return ms;
  }

  /**
   * Presses a button.
   * @param before a function of the page's JavaScript, called before that
   * @param changed a function of what it returned: whether the page is another one by now
   * @returns milliseconds from the press until that and the condition were drawn
   */
  async press(label: string, before: string, changed: string, condition: Condition): Promise<number> {
    return await this.open.page.evaluate<number>(`(() => {
      const text = ${JSON.stringify(label)};
      const button = [...document.querySelectorAll('button')].find((one) => one.textContent.trim() === text);
      if (button === undefined) throw new Error('there is no button ' + text);
      const was = (${before})();
      const from = performance.now();
      button.click();
      return kernelBenchClock(from, () => (${changed})(was) && (${this.conditions[condition]})());
    })()`);
  }
}
