import { type ErrorObject } from 'ajv/dist/2020';
import { ANY_TEXT } from './request-bounds';

export interface Offence {
  /** RFC 6901 JSON Pointer to the wrong value. */
  readonly pointer: string;
  /** Problem and remedy, without the offending value. */
  readonly detail: string;
}

/** Returns one sentence about the failure; where a value had to take one of several forms, what each of them lacks. */
export function describeErrors(errors: readonly ErrorObject[]): Offence {
  const leaves = errors.filter(
    (error) => error.keyword !== 'oneOf' && error.keyword !== 'anyOf' && error.keyword !== 'if',
  );
  const considered = leaves.length > 0 ? leaves : errors;
  // The form that matched furthest is the intended one.
  const deepest = Math.max(...considered.map((error) => error.instancePath.split('/').length));
  const level = considered.filter((error) => error.instancePath.split('/').length === deepest);
  // A form that only lacks members was hardly begun; one with a superfluous member is nearly complete.
  const begun = level.filter((error) => error.keyword !== 'required');
  const nearest = begun.length > 0 ? begun : level;
  const offences = withTypesTogether(nearest).map(offence);
  const [first] = offences;
  if (first === undefined) return { pointer: '', detail: 'The value does not fit.' };
  const details = [...new Set(offences.map(({ detail }) => detail))];
  if (details.length === 1) {
    const both = leaves.length === 0 && errors.some((error) => error.keyword === 'oneOf');
    return both
      ? { pointer: errors[0]?.instancePath ?? '', detail: sentence('fits several forms; keep to one') }
      : first;
  }
  const pointers = new Set(offences.map(({ pointer }) => pointer));
  return {
    pointer: pointers.size === 1 ? first.pointer : (nearest[0]?.instancePath ?? ''),
    detail: details.map((detail) => detail.replace(/\.$/, '')).join(', or: ') + '.',
  };
}

/** One failure for the types that a value may have, each of which is a form of its own. */
function withTypesTogether(errors: readonly ErrorObject[]): ErrorObject[] {
  const [first, ...others] = errors.filter(({ keyword }) => keyword === 'type');
  if (first === undefined || others.some(({ instancePath }) => instancePath !== first.instancePath)) {
    return [...errors];
  }
  const types = [first, ...others].flatMap(({ params }) => params['type'] as string | string[]);
  const together = { ...first, params: { type: [...new Set(types)] } };
  return errors.flatMap((error) => (error === first ? [together] : error.keyword === 'type' ? [] : [error]));
}

function offence(error: ErrorObject): Offence {
  const at = error.instancePath;
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'required': {
      const name = String(params['missingProperty']);
      return { pointer: child(at, name), detail: sentence(`the member "${name}" is missing; add it`) };
    }
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = String(params['additionalProperty'] ?? params['unevaluatedProperty']);
      return {
        pointer: child(at, name),
        detail: sentence(`the member "${name}" is not known here; remove it`),
      };
    }
    case 'propertyNames':
      return {
        pointer: child(at, String(params['propertyName'])),
        detail: sentence('this member name is not allowed'),
      };
    case 'type':
      return { pointer: at, detail: sentence(`must be of type ${[params['type']].flat().join(' or ')}`) };
    case 'enum': {
      const values = (params['allowedValues'] as unknown[]).map((value) => JSON.stringify(value));
      return { pointer: at, detail: sentence(`must be one of ${values.join(', ')}`) };
    }
    case 'const':
      return { pointer: at, detail: sentence(`must be ${JSON.stringify(params['allowedValue'])}`) };
    case 'pattern':
      if (params['pattern'] === ANY_TEXT) {
        return { pointer: at, detail: sentence('holds the character U+0000, which no text may; remove it') };
      }
      return unexpectedForm(error);
    case 'format':
    case 'not':
      return unexpectedForm(error);
    default:
      return { pointer: at, detail: sentence(error.message ?? 'does not fit') };
  }
}

function unexpectedForm(error: ErrorObject): Offence {
  const { description } = (error.parentSchema ?? {}) as { description?: unknown };
  const expected = typeof description === 'string' ? description : error.message;
  return {
    pointer: error.instancePath,
    detail: sentence(`does not have the expected form: ${expected ?? ''}`),
  };
}

function child(pointer: string, name: string): string {
  return `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).trim().replace(/\.$/, '')}.`;
}
