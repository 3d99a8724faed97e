import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type SignerEntry } from '#evidence';
import { RegisteredSigners } from '../../registered-signers';
import { GetSigners } from './signers.query';

@QueryHandler(GetSigners)
export class GetSignersHandler implements IQueryHandler<GetSigners, SignerEntry[]> {
  constructor(private readonly registered: RegisteredSigners) {}

  async execute(): Promise<SignerEntry[]> {
    return this.registered.signers();
  }
}
