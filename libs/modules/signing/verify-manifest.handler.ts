import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type Verdict } from '#openapi/kernel';
import {
  canonicalize,
  type JsonObject,
  type JsonValue,
  parseEnvelope,
  parseManifestStatement,
  type ShardPosition,
  verifyManifestEnvelope,
} from '#evidence';
import { EventStore } from '#platform/event-store';
import { SignerSource } from '#platform/signer';
import { SigningOptions } from './signing.options';

/** Does this envelope carry this kernel's signature over this manifest? */
export class VerifyManifest extends Query<Verdict> {
  constructor(
    readonly manifest: JsonObject,
    readonly envelope: JsonValue,
  ) {
    super();
  }
}

/** Signatures over one manifest that are looked through for a given one, newest first. */
const EXAMINED = 200;

@QueryHandler(VerifyManifest)
export class VerifyManifestHandler implements IQueryHandler<VerifyManifest, Verdict> {
  constructor(
    private readonly store: EventStore,
    private readonly source: SignerSource,
    private readonly options: SigningOptions,
  ) {}

  async execute({ manifest, envelope }: VerifyManifest): Promise<Verdict> {
    const keys = await this.source.signers();
    const { origin } = this.options;
    const verdict = verifyManifestEnvelope({ manifest, envelope, keys, origin });
    // The key has ended, and nothing else is wrong: the chain knows whether it signed this before.
    if (verdict.valid || !verdict.reasons.every((reason) => reason.startsWith('receipt_needed:')))
      return verdict;
    const recordedAt = await this.findRecord(envelope);
    return recordedAt === null
      ? verdict
      : verifyManifestEnvelope({ manifest, envelope, keys, origin, recordedAt });
  }

  /** Position of the event that recorded exactly this signature; null when it is not among the newest of its manifest. */
  private async findRecord(envelope: JsonValue): Promise<ShardPosition | null> {
    const { manifestId, sha256 } = parseManifestStatement(parseEnvelope(envelope).payload);
    const stream = `manifest/${manifestId}`;
    const found = await this.store.query({ stream, order: 'newest', limit: EXAMINED });
    const text = canonicalize(envelope);
    const recorded = found.events.find(
      ({ event: { type, payload } }) =>
        type === 'manifest.signed' &&
        payload['sha256'] === sha256 &&
        canonicalize(payload['envelope'] ?? null) === text,
    );
    return recorded === undefined ? null : { shard: recorded.event.shard, seq: recorded.event.seq };
  }
}
