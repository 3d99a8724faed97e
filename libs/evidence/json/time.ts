const DATE = String.raw`\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])`;
const TIME = String.raw`(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d`;
const TIMESTAMP = new RegExp(`^${DATE}T${TIME}\\.\\d{3}Z$`);
const RFC_3339 = new RegExp(`^${DATE}T${TIME}(?:\\.\\d+)?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)$`);

/** Whether a value is a time as the kernel writes it: RFC 3339 in UTC with milliseconds. */
export function isTimestamp(value: unknown): value is string {
  return typeof value === 'string' && TIMESTAMP.test(value) && dayExists(value);
}

/** Whether a value is any RFC 3339 time but a leap second; `Date.parse` takes other texts too, and not the same everywhere. */
export function isRfc3339(value: unknown): value is string {
  return typeof value === 'string' && RFC_3339.test(value) && dayExists(value);
}

/** The patterns let 31 April and 29 February pass. */
function dayExists(ts: string): boolean {
  const day = Number(ts.slice(8, 10));
  if (day <= 28) return true;
  const month = Number(ts.slice(5, 7));
  if (month !== 2) return day <= 30 || [1, 3, 5, 7, 8, 10, 12].includes(month);
  const year = Number(ts.slice(0, 4));
  return day === 29 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}
