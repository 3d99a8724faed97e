/** A 128-bit key as four 32-bit integers. */
export type Key128 = Int32Array;

/** The 32 hexadecimal digits of a UUID. */
export function idKey(id: string, into: Key128): Key128 {
  let word = 0;
  let digits = 0;
  for (let i = 0; i < id.length; i++) {
    const c = id.charCodeAt(i);
    if (c === 0x2d) continue;
    word = (word << 4) | (c & 0x40 ? (c & 7) + 9 : c & 15);
    if ((++digits & 7) === 0) into[(digits >> 3) - 1] = word;
  }
  return into;
}

export function idOfKey(key: Key128): string {
  const hex = [...key].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Different in every run, so that no one can prepare names that collide. */
const SEED = crypto.getRandomValues(new Int32Array(4));

/** A hash of a name: four lanes of multiply and xor that feed each other (after cyrb128), seeded. */
export function nameKey(name: string, into: Key128): Key128 {
  let h1 = SEED[0] ?? 0;
  let h2 = SEED[1] ?? 0;
  let h3 = SEED[2] ?? 0;
  let h4 = SEED[3] ?? 0;
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    h1 = h2 ^ Math.imul(h1 ^ c, 597399067);
    h2 = h3 ^ Math.imul(h2 ^ c, 2869860233);
    h3 = h4 ^ Math.imul(h3 ^ c, 951274213);
    h4 = h1 ^ Math.imul(h4 ^ c, 2716044179);
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597399067);
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2869860233);
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951274213);
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2716044179);
  into[0] = h1 ^ h2 ^ h3 ^ h4;
  into[1] = h2 ^ h1;
  into[2] = h3 ^ h1;
  into[3] = h4 ^ h1;
  return into;
}

/** Spreads a key over 32 bits, unsigned: the low bits choose a slot, the high bits a partition. */
export function spread(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a ^ (b >>> 15), 2246822519) ^ c;
  h = Math.imul(h ^ (h >>> 13), 3266489917) ^ d;
  h = Math.imul(h ^ (h >>> 16), 2246822519) ^ b;
  h = Math.imul(h ^ (h >>> 15), 3266489917);
  return (h ^ (h >>> 16)) >>> 0;
}
