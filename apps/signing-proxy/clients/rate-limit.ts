import { type SigningClient } from './signing-clients';

interface Bucket {
  perSecond: number;
  /** Signatures that may be made at once. */
  left: number;
  /** `performance.now()` of `left`. */
  at: number;
}

/** How many signatures each client may have in a second: a token bucket that holds one second's worth. */
export class RateLimit {
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    clients: readonly SigningClient[],
    private readonly now: () => number = () => performance.now(),
  ) {
    for (const { cn, perSecond } of clients) {
      if (perSecond !== undefined) this.buckets.set(cn, { perSecond, left: perSecond, at: this.now() });
    }
  }

  /** Whether the client may have this many now; if so, they are counted. */
  take(client: string, signatures: number): boolean {
    const bucket = this.buckets.get(client);
    if (bucket === undefined) return true;
    const now = this.now();
    const earned = ((now - bucket.at) / 1_000) * bucket.perSecond;
    bucket.left = Math.min(bucket.perSecond, bucket.left + earned);
    bucket.at = now;
    // A batch may be larger than a second's worth: it goes when the bucket is full, and is paid off afterwards.
    if (bucket.left < Math.min(signatures, bucket.perSecond)) return false;
    bucket.left -= signatures;
    return true;
  }
}
