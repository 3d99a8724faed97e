import { Query } from '@nestjs/cqrs';
import { type SignerEntry } from '#evidence';

/** Every signer ever registered, in order of registration, with its present status. */
export class GetSigners extends Query<SignerEntry[]> {}
