import { Query } from '@nestjs/cqrs';
import { type JsonObject, type JsonValue } from '#evidence';

export interface ManifestVerdict {
  valid: boolean;
  /** Why not; empty when valid. */
  reasons: string[];
}

/** Does this envelope carry this kernel's signature over this manifest? */
export class VerifyManifest extends Query<ManifestVerdict> {
  constructor(
    readonly manifest: JsonObject,
    readonly envelope: JsonValue,
  ) {
    super();
  }
}
