import { useSyncExternalStore } from 'react';
import { type components } from '#openapi/kernel';
import { type Sample } from './rates';

type SecurityStatus = components['schemas']['SecurityStatus'];

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
