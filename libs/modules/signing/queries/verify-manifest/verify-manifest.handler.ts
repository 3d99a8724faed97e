import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { verifyManifestEnvelope } from '#evidence';
import { SignerSource, SigningOptions } from '../../signing.ports';
import { type ManifestVerdict, VerifyManifest } from './verify-manifest.query';

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
