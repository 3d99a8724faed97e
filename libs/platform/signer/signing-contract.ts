import { z } from 'zod';
import { type SignerPurpose } from '#evidence';
import { KEY_PROTECTIONS } from './key-protection';

/**
 * What the signing proxy and its client agree on (openapi/signing-proxy.yaml). The purposes of a request name what
 * its input claims to be; the purposes of a key name what the key may sign.
 */
export const KEY_PURPOSE_OF = {
  'audit-event': 'audit',
  manifest: 'manifest',
  'archive-day': 'checkpoint',
  'audit-report': 'checkpoint',
  'log-checkpoint': 'checkpoint',
  // Proof that the key is held here: any key may give it for itself.
  'signer-possession': null,
} as const satisfies Record<string, SignerPurpose | null>;

export type SigningPurpose = keyof typeof KEY_PURPOSE_OF;

export const SIGNING_PURPOSES = Object.keys(KEY_PURPOSE_OF) as SigningPurpose[];

/** What is signed in batches, as bytes. A checkpoint has a request of its own, which shows that the log only grew. */
export type BatchPurpose = Exclude<SigningPurpose, 'log-checkpoint'>;

/** Items in one request: twice what the client sends, so that another client's batches fit as well. */
export const MAX_PROXY_BATCH = 512;

/** Raw signing in a cloud KMS takes 4,096 bytes; nothing that is signed here is larger. */
export const MAX_SIGNING_INPUT_BYTES = 4_096;

/** Answer of `POST /v1/keys`, and one entry of `GET /v1/keys`; other members are ignored. */
export const KeyAnswer = z.object({
  kid: z.string(),
  keyVersion: z.string(),
  algorithm: z.literal('ed25519'),
  publicKeyPem: z.string(),
  purposes: z.array(z.enum(['audit', 'manifest', 'checkpoint'])),
  backend: z.string(),
  // A proxy of another vendor or version may use other words or none: that is not a protection.
  protection: z.enum(KEY_PROTECTIONS).catch('unstated'),
  createdAt: z.string().nullable(),
});

/** Answer of `GET /v1/keys`. */
export const KeysAnswer = z.object({ origin: z.string(), keys: z.array(KeyAnswer) });

export const HealthAnswer = z.object({
  ok: z.boolean(),
  backends: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
});

export type ProxyHealth = z.infer<typeof HealthAnswer>;

/** RFC 9457; `error` is the machine word, `index` the item that was refused. */
export const ProblemAnswer = z.object({
  error: z.string(),
  title: z.string().optional(),
  detail: z.string().optional(),
  index: z.number().int().nonnegative().optional(),
  /** Position of the mark, for `below_high_water_mark`. */
  mark: z.object({ shard: z.number().int(), seq: z.number().int() }).optional(),
  /** Highest position that was signed, for `position_ahead` and `beyond_committed`. */
  signed: z.object({ shard: z.number().int(), seq: z.number().int() }).optional(),
  /** Last checkpoint of the shard, for `checkpoint_conflict`. */
  size: z.number().int().nonnegative().optional(),
  root: z.string().optional(),
});

/** A size of a shard's log, and the root of its tree: base64 of 32 bytes. */
export const TreeHead = z.object({ size: z.number().int().nonnegative(), root: z.string() });

export type TreeHead = z.infer<typeof TreeHead>;

/** Last checkpoint of a shard that was signed. */
export const LastCheckpoint = TreeHead.extend({ shard: z.number().int().nonnegative() });

export type LastCheckpoint = z.infer<typeof LastCheckpoint>;

/** Answer of `GET /v1/checkpoints`. */
export const CheckpointsAnswer = z.object({ checkpoints: z.array(LastCheckpoint) });

/** Answer of `POST /v1/checkpoints`. */
export const CheckpointAnswer = z.object({ kid: z.string(), signature: z.string() });

/** Most hashes of a consistency proof between trees of up to 2^53 leaves (RFC 9162 section 2.1.4). */
export const MAX_CONSISTENCY_HASHES = 64;

/** Position up to which the chain of one shard is known to be built upon. */
export const HighWaterMark = z.object({
  shard: z.number().int().nonnegative(),
  /** Signed events build on this position: nothing is signed at or below it. */
  seq: z.number().int().nonnegative(),
  /** Highest position that was signed: nothing is signed that claims to build on a later one. */
  signed: z.number().int().nonnegative(),
  window: z
    .object({
      /** The head of the restored database. */
      seq: z.number().int().nonnegative(),
      /** RFC 3339 */
      until: z.string(),
      openedBy: z.string(),
      reason: z.string(),
    })
    .nullable(),
});

export type HighWaterMark = z.infer<typeof HighWaterMark>;

/** Answer of `GET /v1/marks`. */
export const MarksAnswer = z.object({ marks: z.array(HighWaterMark) });

/**
 * Longest distance of a signing input ahead of the committed position: the group being committed and the two after it,
 * each of at most one request of 1,000 events or 512 events of several.
 */
export const MAX_AHEAD_OF_COMMITTED = 3_072;
