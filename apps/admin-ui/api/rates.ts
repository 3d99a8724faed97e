/** What one answer about the status showed; the charts are made of these. */
export interface Sample {
  /** Seconds since 1970. */
  readonly at: number;
  /** Events in all shards. */
  readonly events: number;
  /** Milliseconds until the answer was here, as this browser measured. */
  readonly answerMs: number;
}

/** Events a second between a sample and the one before; null where there is none, or the page slept in between. */
export function rates(all: readonly Sample[]): (number | null)[] {
  return all.map(({ at, events }, n) => {
    const before = all[n - 1];
    if (before === undefined || at - before.at > 60 || at <= before.at) return null;
    return Math.max(0, events - before.events) / (at - before.at);
  });
}
