import { EvidenceError, type EvidenceErrorCode } from '../evidence.error';
import { isExactDouble } from './exact-number';
import { isForbiddenMember, jsonPointer, MAX_DEPTH, type JsonValue } from './json-value';

/**
 * Applies the rules of `parseStrictJson` to a value made in process: plain objects and arrays of JSON values only.
 * @param pointer RFC 6901 pointer of `value` in a larger document, put before the pointer of an offence.
 * @throws EvidenceError with the pointer of the first offence in enumeration order.
 */
export function assertStrictJson(value: unknown, pointer = ''): asserts value is JsonValue {
  check(value, [], pointer);
}

function check(value: unknown, path: (string | number)[], base: string): void {
  const fail = (code: EvidenceErrorCode, message: string): never => {
    throw new EvidenceError(code, message, { pointer: base + jsonPointer(path) });
  };
  switch (typeof value) {
    case 'boolean':
      return;
    case 'string':
      if (!value.isWellFormed()) fail('lone_surrogate', 'A string holds a lone surrogate; remove it.');
      return;
    case 'number':
      if (!Number.isFinite(value)) fail('number_not_exact', `${value} is not a JSON number.`);
      if (!isExactDouble(value)) {
        fail('number_not_exact', `The number ${value} is an integer beyond 2^53-1; send it as a string.`);
      }
      return;
    case 'object':
      break;
    default:
      fail('not_json', `A value of type ${typeof value} is not JSON.`);
  }
  if (value === null) return;
  const object = value as object;
  if (path.length >= MAX_DEPTH) {
    fail('too_deep', `Arrays and objects are nested deeper than ${MAX_DEPTH} levels; flatten them.`);
  }
  const level = path.length;
  if (Array.isArray(object)) {
    for (let i = 0; i < object.length; i++) {
      path[level] = i;
      if (!(i in object)) fail('not_json', 'An array has a hole.');
      check(object[i], path, base);
    }
    path.length = level;
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(object);
  // Objects of another realm (a Jest sandbox, an iframe) have their own Object.prototype: one without a parent.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    fail('not_json', 'Only plain objects and arrays are JSON.');
  }
  if (Object.getOwnPropertySymbols(object).length > 0) fail('not_json', 'An object has a symbol for a name.');
  for (const [name, member] of Object.entries(object)) {
    path[level] = name;
    if (!name.isWellFormed()) fail('lone_surrogate', 'A member name holds a lone surrogate; remove it.');
    if (isForbiddenMember(name)) {
      fail('forbidden_member', `A member must not be named ${name}; rename it.`);
    }
    check(member, path, base);
  }
  path.length = level;
}
