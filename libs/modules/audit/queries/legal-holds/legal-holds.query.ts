import { Query } from '@nestjs/cqrs';
import { type LegalHold } from '../../legal-hold-list';

/** Holds on archived events, the newest first. */
export class ListLegalHolds extends Query<LegalHold[]> {}
