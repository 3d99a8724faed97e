import { type JsonValue } from '#evidence';

/** RFC 6901, without the fragment form. */
export const JSON_POINTER = /^(\/([^~/]|~[01])*)+$/;

/** The value at a pointer; undefined when there is none. Members that an object inherits are none. */
export function atPointer(document: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = document;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (value === null || typeof value !== 'object') return undefined;
    if (Array.isArray(value)) {
      if (!/^(0|[1-9][0-9]{0,5})$/.test(name)) return undefined;
      value = value[Number(name)];
    } else {
      value = Object.hasOwn(value, name) ? (value as Readonly<Record<string, JsonValue>>)[name] : undefined;
    }
    if (value === undefined) return undefined;
  }
  return value;
}
