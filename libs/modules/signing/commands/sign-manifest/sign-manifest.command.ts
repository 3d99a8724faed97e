import { Command } from '@nestjs/cqrs';
import { type Actor, type JsonObject } from '#evidence';
import { type CommandAnswer, type IdempotencyClaim } from '#platform/event-store';
import { type Scope } from '#platform/edge';
import { type ManifestReference } from '../../domain/manifest-subject';

export type SignRequest = { manifest: JsonObject } | ManifestReference;

/** Sign a manifest, or a named digest, and record the signature in the chain. */
export class SignManifest extends Command<CommandAnswer> {
  constructor(
    readonly request: SignRequest,
    readonly actor: Actor,
    readonly scope: Scope,
    readonly correlationId: string | null,
    readonly idempotency: IdempotencyClaim | null,
  ) {
    super();
  }
}
