import { setTimeout as delay } from 'node:timers/promises';

/** Longest wait for a page. */
const PAGE_MS = 20_000;

/** A page in a real browser, and what a person does with it. */
export abstract class DrivenPage {
  /** The value of an expression in the page, as JSON; a promise is waited for. */
  abstract run<T>(expression: string): Promise<T>;

  /** Opens another page, and waits until it is there. */
  abstract goTo(url: string): Promise<void>;

  /** Ends the browser, and removes what it has written. */
  abstract close(): Promise<void>;

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
    // Asked at once: the page may give way to another between two questions.
    return this.until<{ url: string; text: string }>(
      `the text ${JSON.stringify(text)}`,
      `document.readyState === 'complete' && document.body.innerText.includes(${JSON.stringify(text)}) &&
        { url: location.href, text: document.body.innerText }`,
    );
  }

  /**
   * Waits until an expression is neither false nor null, and returns it. While one page gives way to the next, there is none
   * to ask.
   */
  protected async until<T = true>(what: string, expression: string): Promise<T> {
    const deadline = Date.now() + PAGE_MS;
    for (;;) {
      const found = await this.run<T | false | null>(expression).catch(() => null);
      if (found !== false && found !== null) return found;
      if (Date.now() > deadline) {
        const text = await this.run<string>('location.href + "\\n" + document.body.innerText');
        throw new Error(`the page does not show ${what}: ${text.slice(0, 500)}`);
      }
      await delay(50);
    }
  }
}
