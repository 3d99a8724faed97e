import { type EventPage, type EventQuery, type StoredEvent } from '../event-store.types';
import { MAX_PAGE } from '../limits';

/** Every event of these types, type after type: for events that occur a few times a year. */
export async function eventsOfTypes(
  store: { query(query: EventQuery): Promise<EventPage> },
  types: readonly string[],
): Promise<StoredEvent[]> {
  const ofType = async (type: string): Promise<StoredEvent[]> => {
    const events: StoredEvent[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.query({ type, limit: MAX_PAGE, ...(cursor === undefined ? {} : { cursor }) });
      events.push(...page.events);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return events;
  };
  return (await Promise.all(types.map(ofType))).flat();
}
