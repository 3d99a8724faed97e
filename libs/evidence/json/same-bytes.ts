/** Whether two arrays have the same bytes; for what is public: the time that it takes tells where they differ. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
