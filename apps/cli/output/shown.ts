import { printable } from '#evidence';

/**
 * An answer of the API as it is shown to a person: what others wrote into it can neither move the cursor nor start a line
 * that looks like one of this program. For decisions, parse the answer itself.
 */
export function shown<T>(json: string): T {
  return escaped(JSON.parse(json)) as T;
}

function escaped(value: unknown): unknown {
  if (typeof value === 'string') return printable(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [printable(name), escaped(member)]),
  );
}
