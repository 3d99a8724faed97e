import { type ReactNode } from 'react';
import { timeText } from '../../parts/time-text';

/** A time in UTC, and said to be: a report is read in other places than it was made. */
export function Utc({ at }: { at: string }): ReactNode {
  return (
    <time dateTime={at} className="numbers">
      {timeText(at, 'utc')}
    </time>
  );
}
