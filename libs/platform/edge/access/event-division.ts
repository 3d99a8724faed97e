import { type JsonObject } from '#evidence';

/** The division that an event belongs to: its stream's (`division/product`), else the one its payload names, else none. */
export function divisionOf(stream: string, payload: JsonObject): string | null {
  const [noun, id] = stream.split('/', 2);
  if (noun === 'division' && id) return id;
  const named = payload['division'];
  return typeof named === 'string' && named !== '' ? named : null;
}
