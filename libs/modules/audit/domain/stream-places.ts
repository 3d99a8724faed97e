import { AuditError } from './audit.error';

/** Where a stream of events stands: the last position of each shard that needs not be looked at again. */
export type StreamPlaces = ReadonlyMap<number, number>;

/** `0:17,2:4`, the shards in order; one without an event yet is left out. */
export function streamId(places: StreamPlaces): string {
  return [...places]
    .filter(([, seq]) => seq > 0)
    .sort(([a], [b]) => a - b)
    .map(([shard, seq]) => `${shard}:${seq}`)
    .join(',');
}

/**
 * Reads an id that a stream gave out, or positions of answers. Shards that it does not name are read from their beginning.
 * @param heads last position of each shard
 * @throws AuditError `invalid_event_id`
 */
export function placesOf(id: string, heads: StreamPlaces): Map<number, number> {
  const places = new Map<number, number>();
  for (const position of id.split(',')) {
    const parsed = /^(0|[1-9][0-9]{0,8}):(0|[1-9][0-9]{0,15})$/.exec(position);
    if (parsed === null) {
      throw invalid(`"${position}" is no position ("<shard>:<seq>")`);
    }
    const [shard, seq] = [Number(parsed[1]), Number(parsed[2])];
    const head = heads.get(shard);
    if (head === undefined) throw invalid(`shard ${shard} is not there`);
    if (places.has(shard)) throw invalid(`shard ${shard} is there twice`);
    if (seq > head) {
      throw invalid(
        `shard ${shard} ends at ${head}, before ${seq}: the id is another kernel's, or the store was put back to an older state`,
      );
    }
    places.set(shard, seq);
  }
  return places;
}

function invalid(why: string): AuditError {
  return new AuditError(
    'invalid_event_id',
    `The stream cannot go on after this id: ${why}. Start it without one, or after one that it gave out.`,
  );
}
