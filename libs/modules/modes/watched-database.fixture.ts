import { Database } from '#platform/postgres';

/** A database whose statements are counted, and which can keep back the answer to one of them. */
export class WatchedDatabase extends Database {
  private readonly asked = new Map<string, number>();
  private held: { name: string; answered: () => void; letGo: Promise<void> } | undefined;

  override async query<R extends object>(
    ...[statement, values]: Parameters<Database['query']>
  ): Promise<R[]> {
    const name = typeof statement === 'string' ? statement : statement.name;
    this.asked.set(name, this.count(name) + 1);
    const { held } = this;
    if (held?.name === name) this.held = undefined;
    const rows = await super.query<R>(statement, values);
    if (held?.name !== name) return rows;
    held.answered();
    await held.letGo;
    return rows;
  }

  /** How often a statement was run. */
  count(name: string): number {
    return this.asked.get(name) ?? 0;
  }

  /** The next answer to a statement is given when it is let go, and says what was there before that. */
  holdAnswer(name: string): { answered: Promise<void>; letGo: () => void } {
    const answered = Promise.withResolvers<void>();
    const letGo = Promise.withResolvers<void>();
    this.held = { name, answered: answered.resolve, letGo: letGo.promise };
    return { answered: answered.promise, letGo: letGo.resolve };
  }
}
