import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Number of ids per draw of random bytes: a draw for each costs more than the rest of an append. */
const IDS_PER_DRAW = 256;
const RANDOM_BYTES = 16;

const random = Buffer.alloc(IDS_PER_DRAW * RANDOM_BYTES);
let used = random.length;
let msecs = 0;
let sequence = 0;

/** Returns a UUIDv7 (RFC 9562 section 5.7), greater than every earlier one of this process (section 6.2, method 1). */
export function newEventId(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  const bytes = random.subarray(used, (used += RANDOM_BYTES));
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    // The upper bit stays free, so that a millisecond has room for two thousand million ids.
    sequence = bytes.readUInt32BE(6) >>> 1;
  } else if (++sequence > 0xffff_ffff) {
    msecs += 1;
    sequence = 0;
  }
  return v7({ random: bytes, msecs, seq: sequence });
}
