import { isRfc3339 } from '#evidence';

/** Since when others may have had a key, as the API takes it. */
export type Since = { readonly shard: number; readonly seq: number } | { readonly ts: string };

/** Reads `0:1041`, `1041` (of shard 0), or a time with its offset; null for anything else. */
export function sinceOf(text: string): Since | null {
  const asked = text.trim();
  const position = /^(?:(\d{1,4}):)?(\d{1,15})$/.exec(asked);
  if (position !== null) return { shard: Number(position[1] ?? 0), seq: Number(position[2]) };
  // Without its offset a time would be taken for that of this device, and put hours of a thief's events out of doubt.
  if (isRfc3339(asked)) return { ts: new Date(asked).toISOString() };
  return null;
}
