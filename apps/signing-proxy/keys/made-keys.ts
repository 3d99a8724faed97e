import { z } from 'zod';
import { isKeyName } from '#platform/signer';

/** A key that this proxy, or a replica of it, has made at run time. */
export const MadeKey = z.strictObject({
  kid: z.string().refine(isKeyName),
  purposes: z.array(z.enum(['audit', 'manifest', 'checkpoint'])).min(1),
  /** Null while it is being made, and when that was interrupted. */
  publicKeyPem: z.string().nullable(),
  madeBy: z.string(),
  /** RFC 3339 */
  madeAt: z.string(),
});

export type MadeKey = z.infer<typeof MadeKey>;

/**
 * List of the keys that were made at run time, with their purposes, as KERNEL_SIGNING_KEYS is for the others. It is
 * kept where the high-water marks are, and shared by the replicas in the same way. It holds no secret.
 */
export abstract class MadeKeys {
  /** In the order in which they were begun. @throws SignerError `signing_unavailable` */
  abstract all(): Promise<MadeKey[]>;

  /**
   * Runs `work` while no other process of this kernel makes a key.
   * @throws SignerError `signing_unavailable` when another process takes too long
   */
  abstract exclusively<T>(work: () => Promise<T>): Promise<T>;

  /**
   * Notes that a key is about to be made: from here on the key of this name in the backend is ours. Durable when it
   * settles.
   */
  abstract begin(key: MadeKey): Promise<void>;

  /** Notes the public key, which completes the key and by which it is recognised. */
  abstract complete(kid: string, publicKeyPem: string): Promise<void>;

  abstract close(): Promise<void>;
}
