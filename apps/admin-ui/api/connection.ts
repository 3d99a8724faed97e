import { useSyncExternalStore } from 'react';
import { type components } from '#openapi/kernel';

export type Mode = components['schemas']['Mode'];

/** What every answer tells besides what was asked. */
export interface Connection {
  /** Whether the last request was answered. */
  readonly answers: boolean;
  /** When the kernel last answered; milliseconds. */
  readonly answeredAt: number | null;
  /** Mode of the kernel in the last answer. */
  readonly mode: Mode | null;
  /** The session of this page has ended: requests are refused until someone signs in. */
  readonly ended: boolean;
  /** The kernel wants a sign-in of the last minutes for what was asked. */
  readonly wantsFresh: boolean;
}

const MODES: ReadonlySet<string> = new Set<Mode>(['normal', 'read-only', 'safe-mode']);

let current: Connection = { answers: true, answeredAt: null, mode: null, ended: false, wantsFresh: false };
const listeners = new Set<() => void>();

function change(part: Partial<Connection>): void {
  current = { ...current, ...part };
  for (const listener of listeners) listener();
}

export function noteAnswer(mode: string | null): void {
  const known = mode !== null && MODES.has(mode) ? (mode as Mode) : current.mode;
  const isNews = !current.answers || known !== current.mode;
  if (isNews) change({ answers: true, answeredAt: Date.now(), mode: known });
  // Without waking anyone: the time alone changes with each answer.
  else current = { ...current, answeredAt: Date.now() };
}

export function noteNoAnswer(): void {
  if (current.answers) change({ answers: false });
}

export function noteSessionEnded(ended: boolean): void {
  if (current.ended !== ended) change({ ended });
}

export function noteWantsFresh(wantsFresh: boolean): void {
  if (current.wantsFresh !== wantsFresh) change({ wantsFresh });
}

export function connection(): Connection {
  return current;
}

export function useConnection(): Connection {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}

export function useOnline(): boolean {
  return useSyncExternalStore(
    (listener) => {
      addEventListener('online', listener);
      addEventListener('offline', listener);
      return () => {
        removeEventListener('online', listener);
        removeEventListener('offline', listener);
      };
    },
    () => navigator.onLine,
  );
}
