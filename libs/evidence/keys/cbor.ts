import { EvidenceError } from '../evidence.error';

/** The elements of a COSE key (RFC 9053): small integers, byte strings and text. */
export type CborScalar = number | string | Uint8Array;

/**
 * Reads one CBOR map of scalars and nothing after it: as much of RFC 8949 as a COSE key needs. It must be CTAP2 canonical
 * CBOR (CTAP 2.1, section 8): definite lengths, integers and lengths in their shortest form, keys unique and in order, so
 * that a key has one spelling.
 * @throws EvidenceError `invalid_public_key`
 */
export function readCborMap(bytes: Uint8Array): Map<number | string, CborScalar> {
  const reader = new Reader(bytes);
  const { major, value: size } = reader.head();
  if (major !== MAP || size > MAX_ENTRIES) throw refuse('it is not a small CBOR map');
  const map = new Map<number | string, CborScalar>();
  let before: Uint8Array | null = null;
  for (let i = 0; i < size; i++) {
    const start = reader.offset;
    const key = reader.scalar();
    const encoded = bytes.subarray(start, reader.offset);
    if (key instanceof Uint8Array) throw refuse('a key of its map is a byte string');
    if (map.has(key)) throw refuse(`its map has the key ${JSON.stringify(key)} twice`);
    if (before !== null && !follows(before, encoded)) {
      throw refuse(`the key ${JSON.stringify(key)} of its map is not in the order of CTAP2 canonical CBOR`);
    }
    before = encoded;
    map.set(key, reader.scalar());
  }
  if (!reader.atEnd()) throw refuse('something follows its map');
  return map;
}

const [UNSIGNED, NEGATIVE, BYTES, TEXT, MAP] = [0, 1, 2, 3, 5];
const MAX_ENTRIES = 16;

/** Order of two encoded keys: by major type, then the shorter one first, then byte by byte. */
function follows(before: Uint8Array, key: Uint8Array): boolean {
  const byMajor = ((key[0] ?? 0) >> 5) - ((before[0] ?? 0) >> 5);
  if (byMajor !== 0) return byMajor > 0;
  if (key.length !== before.length) return key.length > before.length;
  const at = key.findIndex((byte, i) => byte !== before[i]);
  return at >= 0 && (key[at] ?? 0) > (before[at] ?? 0);
}

class Reader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get offset(): number {
    return this.at;
  }

  atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  head(): { major: number; value: number } {
    const first = this.byte();
    const info = first & 31;
    if (info < 24) return { major: first >> 5, value: info };
    if (info > 26) throw refuse('a length in it is indefinite or beyond 32 bits');
    const width = 1 << (info - 24);
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.byte();
    const least = width === 1 ? 24 : width === 2 ? 256 : 65_536;
    if (value < least) throw refuse('an integer in it is not in its shortest form');
    return { major: first >> 5, value };
  }

  scalar(): CborScalar {
    const { major, value } = this.head();
    if (major === UNSIGNED) return value;
    if (major === NEGATIVE) return -1 - value;
    if (major !== BYTES && major !== TEXT) throw refuse('it holds something else than integers and strings');
    if (this.at + value > this.bytes.length) throw refuse('it breaks off');
    const field = this.bytes.slice(this.at, this.at + value);
    this.at += value;
    if (major === BYTES) return field;
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(field);
    } catch {
      throw refuse('a text in it is not UTF-8');
    }
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw refuse('it breaks off');
    return byte;
  }
}

function refuse(message: string): EvidenceError {
  return new EvidenceError('invalid_public_key', `This is no COSE key: ${message}.`);
}
