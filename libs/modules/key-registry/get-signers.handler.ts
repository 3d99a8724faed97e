import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type SignerEntry } from '#evidence';
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
