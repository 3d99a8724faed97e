import { useSyncExternalStore } from 'react';
import { type components } from '#openapi/kernel';

type SecurityStatus = components['schemas']['SecurityStatus'];

/** What one answer about the status showed; the charts are made of these. */
export interface Sample {
  /** Seconds since 1970. */
  readonly at: number;
  /** Events in all shards. */
  readonly events: number;
  /** Milliseconds until the answer was here, as this browser measured. */
  readonly answerMs: number;
}

/** An hour, one every five seconds: a tab that is open for days holds no more. */
const MOST = 720;

let samples: readonly Sample[] = [];
const listeners = new Set<() => void>();

export function addSample({ heads }: SecurityStatus, answerMs: number): void {
  const events = heads.reduce((sum, { seq }) => sum + seq, 0);
  samples = [...samples.slice(1 - MOST), { at: Date.now() / 1_000, events, answerMs }];
  for (const listener of listeners) listener();
}

/** Since this page was opened. */
export function useSamples(): readonly Sample[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => samples,
  );
}

/** Events a second between a sample and the one before; null where there is none, or the page slept in between. */
export function rates(all: readonly Sample[]): (number | null)[] {
  return all.map(({ at, events }, n) => {
    const before = all[n - 1];
    if (before === undefined || at - before.at > 60 || at <= before.at) return null;
    return Math.max(0, events - before.events) / (at - before.at);
  });
}
