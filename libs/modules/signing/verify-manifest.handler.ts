import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type JsonObject, type JsonValue, verifyManifestEnvelope } from '#evidence';
import { SignerSource } from '#platform/signer';
import { SigningOptions } from './signing.options';

export interface ManifestVerdict {
  valid: boolean;
  /** Reasons why it is not valid; empty when valid. */
  reasons: string[];
}

/** Whether this envelope carries this kernel's signature over this manifest. */
export class VerifyManifest extends Query<ManifestVerdict> {
  constructor(
    readonly manifest: JsonObject,
    readonly envelope: JsonValue,
  ) {
    super();
  }
}

@QueryHandler(VerifyManifest)
export class VerifyManifestHandler implements IQueryHandler<VerifyManifest, ManifestVerdict> {
  constructor(
    private readonly source: SignerSource,
    private readonly options: SigningOptions,
  ) {}

  async execute({ manifest, envelope }: VerifyManifest): Promise<ManifestVerdict> {
    const keys = await this.source.signers();
    return verifyManifestEnvelope({ manifest, envelope, keys, origin: this.options.origin });
  }
}
