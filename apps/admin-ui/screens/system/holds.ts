import { type components } from '#openapi/kernel';

type LegalHold = components['schemas']['LegalHold'];
type LegalHoldRequest = components['schemas']['LegalHoldRequest'];

/** `0:17`, `0:17 to 0:41`. */
export function rangeText({ shard, fromSeq, toSeq }: Pick<LegalHold, 'shard' | 'fromSeq' | 'toSeq'>): string {
  return fromSeq === toSeq ? `${shard}:${fromSeq}` : `${shard}:${fromSeq} to ${shard}:${toSeq}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const RANGE = /^(\d{1,4}):(\d{1,15})(?:\s*(?:-|to)\s*(?:(\d{1,4}):)?(\d{1,15}))?$/;

/**
 * Reads what is to be held: an event's id, a position (`0:17`) or a range (`0:17 to 0:41`, `0:17-41`); null for anything
 * else.
 */
export function holdOf(text: string, reason: string): LegalHoldRequest | null {
  const asked = text.trim().toLowerCase();
  if (UUID.test(asked)) return { eventId: asked, hold: true, reason };
  const [, shard, from, otherShard, to] = RANGE.exec(asked) ?? [];
  if (shard === undefined || from === undefined) return null;
  if (otherShard !== undefined && otherShard !== shard) return null;
  const fromSeq = Number(from);
  const toSeq = Number(to ?? from);
  if (fromSeq < 1 || toSeq < fromSeq) return null;
  return { shard: Number(shard), fromSeq, toSeq, hold: true, reason };
}
