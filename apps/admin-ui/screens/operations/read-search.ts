/** The named parameters of an address that are there; everything else is left out. */
export function readSearch<Name extends string>(
  search: Record<string, unknown>,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const read: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const value = search[name];
    if (typeof value === 'string' && value.trim() !== '') read[name] = value.trim();
  }
  return read;
}

/** One of the given words, or undefined. */
export function oneOf<Word extends string>(
  value: string | undefined,
  words: readonly Word[],
): Word | undefined {
  return words.find((word) => word === value);
}
