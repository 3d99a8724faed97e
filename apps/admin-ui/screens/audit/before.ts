/** A place before which events are read: for each shard the position up to which, inclusive. */
export type Before = ReadonlyMap<number, number>;

/** `0:1204,1:88`. */
export function readBefore(text: string | undefined): Before | null {
  if (text === undefined || !/^\d{1,5}:\d{1,16}(,\d{1,5}:\d{1,16})*$/.test(text)) return null;
  return new Map(
    text.split(',').map((place): [number, number] => {
      const [shard = 0, seq = 0] = place.split(':').map(Number);
      return [shard, seq];
    }),
  );
}
