import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { EventStore } from '#platform/event-store';
import { LogError, parseTilePath, PublishedLog, type TileName } from '#platform/log';
import { AuditError } from './domain/audit.error';
import { readingLog } from './published-log.errors';

/** A bundle of a shard's events, as the published log has it (c2sp.org/tlog-tiles). */
export class GetEntryBundle extends Query<Uint8Array> {
  constructor(
    readonly shard: number,
    /** The path behind `tile/entries/`. */
    readonly path: string,
  ) {
    super();
  }
}

@QueryHandler(GetEntryBundle)
export class GetEntryBundleHandler implements IQueryHandler<GetEntryBundle, Uint8Array> {
  constructor(
    private readonly store: EventStore,
    private readonly log: PublishedLog,
  ) {}

  async execute({ shard, path }: GetEntryBundle): Promise<Uint8Array> {
    const heads = await this.store.heads();
    if (!heads.some((head) => head.shard === shard)) {
      throw new AuditError('unknown_shard', `There is no shard ${shard}.`);
    }
    const name = nameOf(path);
    const bytes = await readingLog(() => this.log.storage(shard).get(name));
    if (bytes !== null) return bytes;
    throw new AuditError('tile_not_found', `The log of shard ${shard} has no bundle tile/entries/${path}.`);
  }
}

function nameOf(path: string): TileName {
  try {
    return parseTilePath(`tile/entries/${path}`);
  } catch (error) {
    if (error instanceof LogError) throw new AuditError('tile_not_found', error.message);
    throw error;
  }
}
