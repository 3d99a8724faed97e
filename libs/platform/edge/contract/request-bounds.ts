type Node = Readonly<Record<string, unknown>>;

/** Follows a reference, and returns where its target is. */
export type Resolve = (value: unknown, at: string) => readonly [Node, string];

export interface Unbounded {
  /** JSON Pointer into the document. */
  readonly at: string;
  /** Continues the place. */
  readonly why: string;
}

/** The pattern of a free text: everything but U+0000, which no text of PostgreSQL holds. */
export const ANY_TEXT = '^[^\\x00]*$';

/** Formats whose values are short and printable. */
const BOUNDED_FORMATS = new Set(['uuid', 'date-time']);
const APPLICATORS = ['oneOf', 'anyOf', 'allOf'] as const;

/**
 * Returns the first part of a request's schema that would let a caller send without limit: a text without `maxLength` or
 * one that may hold U+0000, an integer without bounds, a list without `maxItems`, a map without `maxProperties`. An object that is open without a
 * schema for its members is a document of the caller's own: strict JSON and the size of the body limit it, and a text in
 * it may be any.
 */
export function unboundedPart(schema: unknown, at: string, resolve: Resolve): Unbounded | null {
  return new BoundsCheck(resolve).schema(schema, at);
}

class BoundsCheck {
  private readonly seen = new Set<string>();

  constructor(private readonly resolve: Resolve) {}

  schema(value: unknown, at: string): Unbounded | null {
    if (typeof value === 'boolean') return null;
    const [node, place] = this.resolve(value, at);
    if (this.seen.has(place)) return null;
    this.seen.add(place);
    return this.node(node, place);
  }

  private node(node: Node, at: string): Unbounded | null {
    const why = whyUnbounded(node);
    if (why !== null) return { at, why };
    const parts: [unknown, string][] = APPLICATORS.flatMap((name) =>
      list(node[name]).map((one, index): [unknown, string] => [one, `${at}/${name}/${index}`]),
    );
    for (const [name, one] of Object.entries((node['properties'] ?? {}) as Node)) {
      parts.push([one, `${at}/properties/${name}`]);
    }
    for (const name of ['items', 'additionalProperties', 'propertyNames']) {
      if (node[name] !== undefined) parts.push([node[name], `${at}/${name}`]);
    }
    for (const [one, place] of parts) {
      const found = this.schema(one, place);
      if (found !== null) return found;
    }
    return null;
  }
}

function whyUnbounded(node: Node): string | null {
  if (node['enum'] !== undefined || node['const'] !== undefined) return null;
  const types = new Set([node['type']].flat());
  if (types.has('string') && !BOUNDED_FORMATS.has(String(node['format']))) {
    const { pattern, maxLength } = node;
    if (typeof maxLength !== 'number') return 'is a text without maxLength';
    if (typeof pattern !== 'string' || !excludesNul(pattern)) {
      return `is a text that may hold U+0000; give it the pattern ${ANY_TEXT}, or a narrower one`;
    }
  }
  if (types.has('integer') && !(typeof node['minimum'] === 'number' && typeof node['maximum'] === 'number')) {
    return 'is an integer without minimum and maximum';
  }
  if (types.has('array') && typeof node['maxItems'] !== 'number') return 'is a list without maxItems';
  const { additionalProperties } = node;
  const isMap = typeof additionalProperties === 'object' && additionalProperties !== null;
  if (types.has('object') && isMap && typeof node['maxProperties'] !== 'number') {
    return 'is a map without maxProperties';
  }
  return null;
}

/** A class, an escape outside of one, or the dot. */
const TOKEN = /\[(\^?)((?:\\.|[^\]\\])*)\]|\\(.)|(\.)/gsu;

/** Whether no match of a pattern holds U+0000: it is anchored at both ends, and no class lets that character in. */
function excludesNul(pattern: string): boolean {
  let outside = pattern.replaceAll(TOKEN, 'x');
  for (let before = ''; before !== outside;) {
    before = outside;
    outside = outside.replaceAll(/\([^()]*\)/g, 'x');
  }
  if (!outside.startsWith('^') || !outside.endsWith('$') || outside.includes('|')) return false;
  for (const [, negated, members, escape, dot] of pattern.matchAll(TOKEN)) {
    if (dot !== undefined || (escape !== undefined && /[DSW0xu]/.test(escape))) return false;
    if (members === undefined) continue;
    const namesNul = /\\(x00|u0000)/.test(members);
    if (negated === '^' ? !namesNul : namesNul || /\\[DSW]/.test(members)) return false;
  }
  return true;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
