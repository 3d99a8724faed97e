export type JsonValue = null | boolean | number | string | JsonValue[] | { [k: string]: JsonValue };
export type JsonObject = { [k: string]: JsonValue };

/** Deepest nesting of arrays and objects in a document that gets hashed or signed: `[]` is 1. */
export const MAX_DEPTH = 64;

/**
 * Member names that change what JavaScript makes of an object: json-canonicalize calls a `toJSON` member,
 * assigning `__proto__` sets the prototype. Refused, so that no reader can see another document than the signer.
 */
export function isForbiddenMember(name: string): boolean {
  return name === 'toJSON' || name === '__proto__';
}

/** RFC 6901 JSON Pointer. A lone surrogate in a name is shown as U+FFFD, because a pointer is sent as UTF-8. */
export function jsonPointer(path: readonly (string | number)[]): string {
  let pointer = '';
  for (const token of path) {
    pointer += '/';
    pointer +=
      typeof token === 'number' ? token : token.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1');
  }
  return pointer;
}
