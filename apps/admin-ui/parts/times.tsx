import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { useSyncExternalStore } from 'react';
import { ageText, timeText, type Zone } from './time-text';

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
