import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type Verdict } from '#openapi/kernel';
import { type JsonObject, type JsonValue, verifyManifestEnvelope } from '#evidence';
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

@QueryHandler(VerifyManifest)
export class VerifyManifestHandler implements IQueryHandler<VerifyManifest, Verdict> {
  constructor(
    private readonly source: SignerSource,
    private readonly options: SigningOptions,
  ) {}

  async execute({ manifest, envelope }: VerifyManifest): Promise<Verdict> {
    const keys = await this.source.signers();
    return verifyManifestEnvelope({ manifest, envelope, keys, origin: this.options.origin });
  }
}
