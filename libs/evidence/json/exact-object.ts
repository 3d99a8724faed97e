import { type JsonObject, type JsonValue } from './json-value';

/** The value as an object with exactly these members; null for anything else. */
export function exactObject(value: JsonValue | undefined, names: readonly string[]): JsonObject | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const present = Object.keys(value);
  return present.length === names.length && names.every((name) => Object.hasOwn(value, name)) ? value : null;
}
