import { jsonPointer, type JsonValue } from './json-value';
import { printable } from './printable-text';

/**
 * What is different between two documents, one line for each value: `- pointer: old`, `+ pointer: new`. Entries of a
 * list that have an `id`, `keyId` or `signer_kid` are compared by it, so that one who left does not shift the others.
 */
export function jsonDiff(before: JsonValue, after: JsonValue): string[] {
  const old = flatten(before);
  const fresh = flatten(after);
  const lines: string[] = [];
  for (const path of [...new Set([...old.keys(), ...fresh.keys()])].sort()) {
    const [was, is] = [old.get(path), fresh.get(path)];
    if (was === is) continue;
    if (was !== undefined) lines.push(`- ${printable(path)}: ${was}`);
    if (is !== undefined) lines.push(`+ ${printable(path)}: ${is}`);
  }
  return lines;
}

const NAMES = ['id', 'keyId', 'signer_kid'] as const;

function flatten(
  value: JsonValue,
  path: (string | number)[] = [],
  into = new Map<string, string>(),
): Map<string, string> {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    into.set(jsonPointer(path), JSON.stringify(value));
    return into;
  }
  if (Array.isArray(value)) {
    value.forEach((entry, at) => flatten(entry, [...path, nameOf(entry) ?? at], into));
    return into;
  }
  for (const [name, member] of Object.entries(value)) flatten(member, [...path, name], into);
  return into;
}

function nameOf(entry: JsonValue): string | null {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return null;
  const name = NAMES.map((member) => entry[member]).find((text) => typeof text === 'string');
  return typeof name === 'string' ? name : null;
}
