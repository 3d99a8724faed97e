import { useSyncExternalStore } from 'react';

/**
 * Whether somebody is at this page: what it asks by itself must not keep a session from ending idle. A page that is
 * hidden, or that nobody touched for a while, asks nothing.
 */
const ATTENDED_MS = 5 * 60_000;

let touchedAt = Date.now();
let attended = true;
const listeners = new Set<() => void>();

function update(): void {
  const now = document.visibilityState === 'visible' && Date.now() - touchedAt < ATTENDED_MS;
  if (now === attended) return;
  attended = now;
  for (const listener of listeners) listener();
}

function touch(): void {
  touchedAt = Date.now();
  update();
}

/** Called once, at the start. */
export function watchAttention(): void {
  for (const name of ['pointerdown', 'pointermove', 'keydown', 'scroll', 'focus']) {
    addEventListener(name, touch, { passive: true, capture: true });
  }
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') touch();
    else update();
  });
  setInterval(update, 10_000);
}

export function isAttended(): boolean {
  return attended;
}

export function useAttended(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => attended,
  );
}

/** For `refetchInterval` of a query. */
export function whileAttended(ms: number): () => number | false {
  return () => (attended ? ms : false);
}
