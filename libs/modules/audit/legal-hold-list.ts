/** A range that is or was held, and how far the archive has followed. */
export interface LegalHold {
  shard: number;
  fromSeq: number;
  toSeq: number;
  inForce: boolean;
  reason: string;
  /** The event that said so last. */
  eventId: string;
  since: string;
  /** Objects of the range that are as they should be. */
  applied: number;
  total: number;
  status: 'applied' | 'pending' | 'failing';
  /** Why it is failing. */
  failure: string | null;
}

/** The holds as the archiver knows them; bound by the app. */
export abstract class LegalHoldList {
  /** The newest first, at most `limit`. */
  abstract list(limit: number): Promise<LegalHold[]>;
}
