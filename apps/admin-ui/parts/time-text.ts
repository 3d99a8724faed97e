export type Zone = 'local' | 'utc';

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

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];
const words = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'long' });

/** `5 minutes ago`, `in 47 hours`: in a unit of which there are two at least, since `in 1 day` could be nearly two. */
export function ageText(instant: string, now: number): string {
  const seconds = Math.round((Date.parse(instant) - now) / 1_000);
  if (Number.isNaN(seconds)) return instant;
  if (Math.abs(seconds) < 1) return 'now';
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= 2 * length) ?? ['second', 1];
  return words.format(Math.trunc(seconds / size), unit);
}
