import { type Logger } from '#platform/process';
import { AuditStreamError } from './audit-stream.error';
import { loggedInterruptions } from './logged-interruptions';

describe('logged interruptions', () => {
  it('are said once each, by shard and reason', () => {
    const lines: unknown[] = [];
    const logger = { warn: (...line: unknown[]) => lines.push(line) } as unknown as Logger;
    const { onInterrupted, onOffsetNotNoted } = loggedInterruptions(logger);
    const error = (message: string): AuditStreamError => new AuditStreamError('stream_unavailable', message);
    for (let n = 0; n < 5; n++) onInterrupted?.(0, error('refused'));
    onInterrupted?.(1, error('refused'));
    onInterrupted?.(0, error('timed out'));
    onOffsetNotNoted?.(0, error('timed out'));
    expect(lines).toEqual([
      [{ shard: 0, reason: 'refused' }, 'the stream is interrupted; tries again'],
      [{ shard: 1, reason: 'refused' }, 'the stream is interrupted; tries again'],
      [{ shard: 0, reason: 'timed out' }, 'the stream is interrupted; tries again'],
      [{ shard: 0, reason: 'timed out' }, 'the offset could not be noted for lag tools'],
    ]);
  });
});
