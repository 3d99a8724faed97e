import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { useSyncExternalStore } from 'react';

export type Zone = 'local' | 'utc';

interface Times {
  readonly zone: Zone;
  readonly setZone: (zone: Zone) => void;
}

const KEY = 'time-zone';
const Context = createContext<Times>({ zone: 'local', setZone: () => undefined });

function stored(): Zone {
  try {
    return localStorage.getItem(KEY) === 'utc' ? 'utc' : 'local';
  } catch {
    return 'local';
  }
}

/** Whether times are shown in the zone of this device or in UTC; kept in the browser. */
export function TimesProvider({ children }: { children: ReactNode }): ReactNode {
  const [zone, setZone] = useState(stored);
  useEffect(() => {
    try {
      localStorage.setItem(KEY, zone);
    } catch {
      // It holds for this page then.
    }
  }, [zone]);
  const value = useMemo(() => ({ zone, setZone }), [zone]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useTimes(): Times {
  return useContext(Context);
}

const pad = (part: number, length = 2): string => String(part).padStart(length, '0');

/** `2026-11-30 15:04:05`, with milliseconds where asked; sorts as text, and means the same to everyone. */
export function timeText(instant: string, zone: Zone, { exact = false } = {}): string {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return instant;
  const parts =
    zone === 'utc'
      ? [
          at.getUTCFullYear(),
          at.getUTCMonth(),
          at.getUTCDate(),
          at.getUTCHours(),
          at.getUTCMinutes(),
          at.getUTCSeconds(),
        ]
      : [at.getFullYear(), at.getMonth(), at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()];
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const milliseconds = exact ? `.${pad(at.getUTCMilliseconds(), 3)}` : '';
  const suffix = zone === 'utc' ? ' UTC' : '';
  return `${pad(year, 4)}-${pad(month + 1)}-${pad(day)} ${pad(hour)}:${pad(minute)}:${pad(second)}${milliseconds}${suffix}`;
}

/** A time in the zone that the person chose; the other one is in its title. */
export function Time({ at, exact = false }: { at: string; exact?: boolean }): ReactNode {
  const { zone } = useTimes();
  const other = timeText(at, zone === 'utc' ? 'local' : 'utc', { exact });
  return (
    <time dateTime={at} title={zone === 'utc' ? `${other} on this device` : other} className="numbers">
      {timeText(at, zone, { exact })}
    </time>
  );
}

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];
const words = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'long' });

/** `5 minutes ago`, `in 3 hours`. */
export function ageText(instant: string, now: number): string {
  const seconds = Math.round((Date.parse(instant) - now) / 1_000);
  if (Number.isNaN(seconds)) return instant;
  if (Math.abs(seconds) < 1) return 'now';
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return words.format(Math.trunc(seconds / size), unit);
}

let now = Date.now();
const clocks = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** The time, once a second, for all who show an age. */
export function useNow(): number {
  return useSyncExternalStore(
    (listener) => {
      clocks.add(listener);
      timer ??= setInterval(() => {
        now = Date.now();
        for (const clock of clocks) clock();
      }, 1_000);
      return () => {
        clocks.delete(listener);
        if (clocks.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    () => now,
  );
}

/** How long ago something was, or until it is. */
export function Age({ at }: { at: string }): ReactNode {
  const { zone } = useTimes();
  return (
    <time dateTime={at} title={timeText(at, zone)} className="numbers">
      {ageText(at, useNow())}
    </time>
  );
}
