import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { base64Decode, checkpointSigningInput } from '#evidence';
import { type LastCheckpoint, SignerError } from '#platform/signer';
import { RateLimit } from '../clients/rate-limit';
import { SigningClients } from '../clients/signing-clients';
import { type HeldKey, HeldKeys } from '../keys/held-keys';
import { type MarkStore } from '../marks/mark-store';
import { noSuchShard, SigningRefusal } from '../refusal';
import { SigningMetrics } from '../signing.metrics';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';
import { type CheckpointAsked, assertContinues } from './assert-continues';

const PURPOSE = 'log-checkpoint';
/** Refusals of a signing proxy behind this one, which are answered as they came. */
const OF_UPSTREAM = [
  'checkpoint_conflict',
  'beyond_committed',
  'invalid_consistency',
  'unknown_shard',
] as const;

export interface CheckpointRequest extends CheckpointAsked {
  kid?: string;
}

/**
 * Signs checkpoints of the shards' logs, and remembers the last of each: whoever may ask for them still cannot show one
 * log to some people and another to others, nor take back what was published.
 */
@Injectable()
export class CheckpointSigner {
  constructor(
    @Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions,
    private readonly keys: HeldKeys,
    private readonly clients: SigningClients,
    private readonly rates: RateLimit,
    private readonly metrics: SigningMetrics,
  ) {}

  /**
   * @param client common name of the caller's certificate
   * @returns signature over the note's text, base64
   * @throws SigningRefusal
   */
  async sign(
    client: string | undefined,
    asked: CheckpointRequest,
  ): Promise<{ kid: string; signature: string }> {
    const { shard, size, root } = asked;
    const { origin, shards, logger } = this.options;
    const root32 = base64Decode(root);
    if (root32?.length !== 32) {
      throw new SigningRefusal('malformed_request', 'The root is 32 bytes in base64 (RFC 4648 section 4)');
    }
    const input = checkpointSigningInput({ origin, shard, size, root: root32 });
    const digest = hash('sha256', input, 'hex');
    if (client === undefined || !this.clients.purposesOf(client).has(PURPOSE)) {
      throw new SigningRefusal('client_not_permitted', `Client "${client}" may not sign for ${PURPOSE}`, {
        digest,
      });
    }
    if (shard >= shards) {
      throw new SigningRefusal('unknown_shard', noSuchShard(shard, shards), { digest });
    }
    if (!this.rates.take(client, 1)) {
      throw new SigningRefusal('rate_limited', `Client "${client}" has had its signatures of this second`, {
        digest,
      });
    }
    const held = await this.key(asked.kid);
    const { kid } = held.info;
    const signature = await unavailable(() => this.signed(held, asked, input));
    this.metrics.signed([{ kid, purpose: PURPOSE }], client);
    this.metrics.checkpointed(shard, size);
    logger.info({ client, kid, shard, size, root, digest }, 'signed a checkpoint');
    return { kid, signature };
  }

  /** Last checkpoints of all shards: those of the proxy behind this one, where it keeps them. */
  async last(): Promise<LastCheckpoint[]> {
    const upstream = this.options.backends.find(({ checkpoints }) => checkpoints !== undefined)?.checkpoints;
    const { marks } = this.options;
    return unavailable(async () => (await (upstream ?? marks)?.checkpoints()) ?? []);
  }

  private async signed(
    { info: { kid }, backend }: HeldKey,
    asked: CheckpointAsked,
    input: Uint8Array,
  ): Promise<string> {
    const { marks } = this.options;
    if (backend.checkpoints !== undefined) {
      // It has the key, so what it remembers is what counts; two memories could only disagree.
      await marks?.checkpoint(asked.shard, ({ signed }) => {
        assertContinues({ signed, last: null }, asked);
        return null;
      });
      return backend.checkpoints.signCheckpoint({ ...asked, kid });
    }
    const state = kept(marks);
    await state.checkpoint(asked.shard, (known) => {
      assertContinues(known, asked);
      return null;
    });
    const [raw] = await backend.sign(kid, [input]);
    if (raw?.length !== 64) {
      throw new SignerError('token_error', `Backend ${backend.name} answered with no signature`);
    }
    // The signature leaves only when this is durable, and only if nobody has decided otherwise meanwhile.
    await state.checkpoint(asked.shard, (known) => {
      assertContinues(known, asked);
      return { size: asked.size, root: asked.root };
    });
    return Buffer.from(raw).toString('base64');
  }

  private async key(kid: string | undefined): Promise<HeldKey> {
    if (kid === undefined) return this.onlyKey();
    const held = await unavailable(() => this.keys.look(kid));
    if (held === undefined) throw new SigningRefusal('unknown_key', 'There is no such key here');
    if (held.info.purposes.includes('checkpoint')) return held;
    throw new SigningRefusal('wrong_key_purpose', `Key ${kid} does not serve ${PURPOSE}`, { kid });
  }

  /** Which of several is in force is known to the kernel's registry alone. */
  private onlyKey(): HeldKey {
    const [only, ...others] = this.keys.all().filter(({ info }) => info.purposes.includes('checkpoint'));
    if (only !== undefined && others.length === 0) return only;
    throw new SigningRefusal(
      'unknown_key',
      only === undefined
        ? 'No key for "checkpoint" is held here: name one in KERNEL_SIGNING_KEYS'
        : `Several checkpoint keys are held here: name one of ${[only, ...others].map(({ info }) => info.kid).join(', ')} as kid`,
    );
  }
}

function kept(marks: MarkStore | undefined): MarkStore {
  if (marks !== undefined) return marks;
  throw new SignerError(
    'signing_unavailable',
    'No checkpoint is signed without a memory of the last one: set KERNEL_SIGNING_MARKS_DIR or KERNEL_SIGNING_MARKS_DATABASE_URL',
  );
}

/** The word of the proxy behind this one where it refuses, and `signing_unavailable` for everything else. */
async function unavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SignerError)) throw error;
    const code = OF_UPSTREAM.find((word) => word === error.details['error']);
    const { size, root, signed } = error.details as { size?: number; root?: string; signed?: never };
    throw new SigningRefusal(
      code ?? 'signing_unavailable',
      error.message,
      code === undefined
        ? {}
        : {
            ...(size !== undefined && { size }),
            ...(root !== undefined && { root }),
            ...(signed !== undefined && { signed }),
          },
      { cause: error },
    );
  }
}
