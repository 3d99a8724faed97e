import { Limiter } from '#platform/resilience';

/** Streams loaded at a time: a list must not take every connection. */
const PARALLEL = 4;

/** Maps all items, a few at a time, and returns the results in order. */
export function mapFew<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  return new Limiter(PARALLEL).map(items, map);
}
