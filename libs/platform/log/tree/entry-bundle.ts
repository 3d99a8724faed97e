/** Longest entry that a bundle can hold: its length is a uint16. */
export const MAX_ENTRY_BYTES = 65_535;

/** An entry as it is in a bundle: its length as a big-endian uint16, then its bytes (c2sp.org/tlog-tiles). */
export function bundled(entry: Uint8Array): Buffer {
  if (entry.length > MAX_ENTRY_BYTES) {
    throw new RangeError(`An entry of ${entry.length} bytes does not fit; the most is ${MAX_ENTRY_BYTES}.`);
  }
  const bytes = Buffer.allocUnsafe(entry.length + 2);
  bytes.writeUInt16BE(entry.length);
  bytes.set(entry, 2);
  return bytes;
}

/** The entries of a bundle, as views into it; null when its lengths do not add up. */
export function entriesOf(bundle: Uint8Array): Uint8Array[] | null {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bundle.length) {
    if (at + 2 > bundle.length) return null;
    const end = at + 2 + view.getUint16(at);
    if (end > bundle.length) return null;
    entries.push(bundle.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
