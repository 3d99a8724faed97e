import { type ErrorObject, type ValidateFunction } from 'ajv/dist/2020';
import { type JsonObject, type JsonValue } from '#evidence';

/**
 * Kinds of members that may be null in the place of being left out: each costs another look at the whole body, and one refused
 * request must not cost much more than another.
 */
const MOST = 16;

/**
 * Validates a body in which an optional member that is null counts as absent, as many clients write it. Takes out of the
 * body exactly those nulls that its schema refuses; one that is required, or stands in a list, is refused as before.
 * @returns what is wrong, with the body as it came; null when it fits
 */
export function problemsWith(validate: ValidateFunction, body: JsonValue): ErrorObject[] | null {
  if (validate(body)) return null;
  const first = validate.errors ?? [];
  const taken: [JsonObject, string][] = [];
  let errors = first;
  for (let kinds = 0; kinds < MOST; kinds++) {
    const places = errors
      .map(({ instancePath }) => nullsLike(body, instancePath))
      .find((found) => found.length > 0);
    if (places === undefined) break;
    for (const [owner, name] of places) delete owner[name];
    for (const place of places) taken.push(place);
    if (validate(body)) return null;
    errors = validate.errors ?? [];
  }
  for (const [owner, name] of taken) owner[name] = null;
  return first;
}

/**
 * The member at a JSON Pointer (RFC 6901), if it is a null member of an object, and with it the null members of that name in
 * the other entries of the lists on the way: one look at the body for all of them.
 */
function nullsLike(body: JsonValue, pointer: string): [JsonObject, string][] {
  if (pointer === '') return [];
  const names = pointer
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = names.pop() ?? '';
  let meant: JsonValue | undefined = body;
  let owners: JsonValue[] = [body];
  for (const name of names) {
    const index: number | string = Array.isArray(meant) ? Number(name) : name;
    owners = owners.flatMap((owner) => {
      if (Array.isArray(owner)) return owner;
      const member = memberOf(owner, name);
      return member === undefined ? [] : [member];
    });
    meant = Array.isArray(meant) ? meant[index as number] : memberOf(meant, name);
  }
  if (Array.isArray(meant) || memberOf(meant, last) !== null) return [];
  return owners.flatMap((owner) =>
    memberOf(owner, last) === null ? [[owner as JsonObject, last] as [JsonObject, string]] : [],
  );
}

function memberOf(owner: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof owner !== 'object' || owner === null || Array.isArray(owner)) return undefined;
  return Object.hasOwn(owner, name) ? owner[name] : undefined;
}
