import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { spannedSigners, type SignerEntry, type SignersFile } from '#evidence';
import { KeyRegistryOptions } from './key-registry.options';
import { RegisteredSigners } from './registered-signers';

/** Every signer ever registered, in order of registration, with its current status. */
export class GetSigners extends Query<SignerEntry[]> {}

@QueryHandler(GetSigners)
export class GetSignersHandler implements IQueryHandler<GetSigners, SignerEntry[]> {
  constructor(private readonly registered: RegisteredSigners) {}

  async execute(): Promise<SignerEntry[]> {
    return this.registered.signers();
  }
}

/** The trust root of verifiers: what they must be given by a way that they trust. */
export class GetTrustRoot extends Query<SignersFile & { origin: string }> {}

@QueryHandler(GetTrustRoot)
export class GetTrustRootHandler implements IQueryHandler<GetTrustRoot> {
  constructor(
    private readonly registered: RegisteredSigners,
    private readonly options: KeyRegistryOptions,
  ) {}

  async execute(): Promise<SignersFile & { origin: string }> {
    const { state } = await this.registered.registry();
    const { origin, log } = this.options;
    // Before the founding it is what the founding will say.
    const { shards, approverPool } = state.founding ?? this.options;
    return { origin, shards, approverPool, signers: spannedSigners(state), ...(log && { log }) };
  }
}
