import { isRfc3339 } from '#evidence';
import { CliError } from '../../cli.error';

/** Since when others may have had a key, as the API takes it. */
export type Since = { shard: number; seq: number } | { ts: string };

/**
 * Reads SHARD:SEQ, SEQ (of shard 0) or a time. A time without its offset would be taken for that of this machine, and
 * could put hours of a thief's events out of doubt.
 * @throws CliError `wrong_usage`
 */
export function sinceOf(text: string): Since {
  const position = /^(?:(\d{1,4}):)?(\d{1,15})$/.exec(text);
  if (position !== null) return { shard: Number(position[1] ?? 0), seq: Number(position[2]) };
  if (isRfc3339(text)) return { ts: new Date(text).toISOString() };
  throw new CliError('wrong_usage', '--since takes a position (0:1041) or a time (2026-05-03T14:00:00Z).');
}
