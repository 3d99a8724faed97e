import { answered, api } from '../../../api/client';
import { isPassing } from '../../../api/problem';
import { conditionsOf, type Filters } from '../filters';
import { eventLines, firstLines, type Format } from './event-lines';

/** Beyond these a browser is the wrong tool: the rest is for `./kernel audit find`. */
export const MOST_EVENTS = 20_000;
const MOST_BYTES = 64 * 2 ** 20;
/** Events of one request. */
const PAGE = 500;
const TRIES = 5;
const PAUSE_MS = 2_000;

export interface Exported {
  readonly file: Blob;
  readonly count: number;
  /** There are more than the file has. */
  readonly isCut: boolean;
}

/**
 * Reads what the filters find, page after page, into a file. A page is let go of when it is in the file, which browsers
 * keep on the disk when it grows.
 * @throws ApiProblem, Unreachable
 */
export async function exportEvents(
  format: Format,
  filters: Filters,
  onProgress: (count: number) => void,
  signal: AbortSignal,
): Promise<Exported> {
  const type = format === 'csv' ? 'text/csv' : 'application/x-ndjson';
  let file = new Blob([firstLines(format)], { type });
  let count = 0;
  for (let cursor: string | undefined; ;) {
    const limit = Math.min(PAGE, MOST_EVENTS - count);
    const query = { ...conditionsOf(filters), limit, ...(cursor !== undefined && { cursor }) };
    const page = await persistently(
      () => answered(api.GET('/kernel/audit', { params: { query }, signal })),
      signal,
    );
    file = new Blob([file, eventLines(format, page.events)], { type });
    count += page.events.length;
    onProgress(count);
    if (page.nextCursor === null) return { file, count, isCut: false };
    if (count >= MOST_EVENTS || file.size >= MOST_BYTES) return { file, count, isCut: true };
    cursor = page.nextCursor;
  }
}

/** A kernel that has too much to do for a moment does not end an export. */
async function persistently<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await read();
    } catch (error) {
      if (signal.aborted || left <= 1 || !isPassing(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
