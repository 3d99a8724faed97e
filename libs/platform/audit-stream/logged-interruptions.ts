import { type Logger } from '#platform/process';
import { type AuditStreamObserver } from './audit-stream';
import { type AuditStreamError } from './audit-stream.error';

/** An unreachable transport is tried every other second: not every failure is logged. */
const SAY_AGAIN_MS = 60_000;

/** Logs interruptions of the stream: each once, and once a minute while it lasts. */
export function loggedInterruptions(logger: Logger): AuditStreamObserver {
  const said = new Map<string, { message: string; at: number }>();
  const warn = (shard: number, { message }: AuditStreamError, what: string): void => {
    const key = `${shard} ${what}`;
    const last = said.get(key);
    const now = performance.now();
    if (last?.message === message && now - last.at < SAY_AGAIN_MS) return;
    said.set(key, { message, at: now });
    logger.warn({ shard, reason: message }, what);
  };
  return {
    onInterrupted: (shard, error) => warn(shard, error, 'the stream is interrupted; tries again'),
    onOffsetNotNoted: (shard, error) => warn(shard, error, 'the offset could not be noted for lag tools'),
  };
}
