import { Registry } from '#platform/process';
import { PartitionWatch } from './partition-watch';

describe('PartitionWatch', () => {
  const room = (shard: number, left: number) => ({ shard, room: left, size: 100 });
  let registry: Registry;
  let errors: unknown[][];
  let watch: PartitionWatch;
  beforeEach(() => {
    registry = new Registry();
    errors = [];
    watch = new PartitionWatch(registry, { error: (...said: unknown[]) => errors.push(said) });
  });

  it('knows nothing before the first look', () => {
    expect(watch.state).toEqual({ tightest: null, failure: null });
  });

  it('names the shard with the least room, and has all in the metric', async () => {
    watch.note([room(0, 80), room(1, 51), room(2, 90)], null);
    expect(watch.state).toEqual({ tightest: room(1, 51), failure: null });
    expect(errors).toEqual([]);
    const metrics = await registry.metrics();
    expect(metrics).toContain('kernel_partition_room_events{shard="2"} 90');
    expect(metrics).toContain('kernel_partition_failures_total 0');
  });

  it('counts failures, logs one that goes on once a minute, and forgets it when it is over', async () => {
    watch.note([room(0, 30)], new Error('permission denied'));
    watch.note([], new Error('permission denied'));
    expect(errors).toEqual([
      [{ failure: 'permission denied', ...room(0, 30) }, expect.stringContaining('runbooks/partitions.md')],
    ]);
    expect(watch.state).toEqual({ tightest: room(0, 30), failure: 'permission denied' });
    expect(await registry.metrics()).toContain('kernel_partition_failures_total 2');
    watch.note([room(0, 130)], null);
    expect(watch.state).toEqual({ tightest: room(0, 130), failure: null });
  });
});
