import { isRfc3339 } from './time';

const FIRST_INSTANT = Date.parse('0001-01-01T00:00:00Z');
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Whether a text is an RFC 3339 time in the years 1 to 9999 of UTC, which every type of a database holds; an offset can
 * lead out of them. Section 5.6 lets the letters be lower case.
 */
export function isInstant(text: string): boolean {
  const upper = text.toUpperCase();
  if (!isRfc3339(upper)) return false;
  const at = Date.parse(upper);
  return at >= FIRST_INSTANT && at <= LAST_INSTANT;
}
