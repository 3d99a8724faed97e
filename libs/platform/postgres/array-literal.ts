/**
 * PostgreSQL's text form of an array (section 8.15.2 of its manual). node-postgres makes one too, element by element
 * through its general conversion; for a group of 256 events with ten arrays that is a tenth of the time on this side.
 */
export function arrayOfText(values: readonly (string | null)[]): string {
  let literal = '{';
  for (const value of values) {
    if (literal.length > 1) literal += ',';
    literal += value === null ? 'NULL' : `"${SPECIAL.test(value) ? value.replace(SPECIALS, '\\$&') : value}"`;
  }
  return `${literal}}`;
}

/** Array of numbers or UUIDs: nothing that would need quotes. */
export function arrayOfPlain(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`;
}

const SPECIAL = /["\\]/;
const SPECIALS = /["\\]/g;
