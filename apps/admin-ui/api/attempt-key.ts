/**
 * The `Idempotency-Key` of an attempt. A command whose answer never came may have been carried out: the same command
 * sent again has the same key, so that it is carried out once. What was answered, or is another command, gets another.
 */
export class AttemptKey {
  private last: { readonly body: string; readonly key: string } | null = null;

  constructor(private readonly make: () => string = () => crypto.randomUUID()) {}

  keyFor(body: unknown): string {
    const text = JSON.stringify(body) ?? '';
    if (this.last?.body !== text) this.last = { body: text, key: this.make() };
    return this.last.key;
  }

  /** The kernel has answered, whatever it said. */
  settle(): void {
    this.last = null;
  }
}
