import { GOVERNANCE_SHARD } from '#evidence';
import { shardOf } from './shard-of';

describe('shardOf', () => {
  it('is fixed: an event never moves to another shard', () => {
    // First four bytes of SHA-256, big-endian, here 0xdbb11859: echo -n manifest/m-1 | sha256sum
    expect([2, 3, 7, 16].map((shards) => shardOf('manifest/m-1', shards))).toEqual([1, 2, 2, 9]);
    expect(shardOf('anything/at-all', 1)).toBe(0);
  });

  it('keeps governance together, in shard 0', () => {
    const streams = [
      'upgrade/upg-42',
      'upgrade/upg-43',
      'approver_pool/kernel',
      'policy/governance',
      'signer/k1',
      'kernel/founding',
      'division/product',
      'agent/a-1',
      'allocation/product',
    ];
    for (const shards of [2, 3, 7, 16]) {
      expect(streams.map((stream) => shardOf(stream, shards))).toEqual(streams.map(() => GOVERNANCE_SHARD));
    }
    const others = ['upgrades/1', 'manifest/upgrade/1', 'upgrade'].map((stream) => shardOf(stream, 256));
    expect(others).not.toContain(GOVERNANCE_SHARD);
  });

  it('spreads streams evenly', () => {
    const counts = new Array<number>(8).fill(0);
    for (let n = 0; n < 8_000; n++) {
      const shard = shardOf(`manifest/m-${n}`, 8);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });
});
