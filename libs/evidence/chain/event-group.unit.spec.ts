import { createHash, randomBytes } from 'node:crypto';
import { GroupNodes, groupRoot, groupTree, isEventGroup, isRange, pathLength } from './event-group';
import { inclusionPath, leafHash, nodeHash, treeRoot } from '../log/merkle-tree';

const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 31, 50, 64, 100, 511, 1_000, 1_024];

function hashes(count: number): string[] {
  return Array.from({ length: count }, (_, n) => createHash('sha256').update(`event ${n}`).digest('hex'));
}

/** The tree as the transparency log makes it. */
function logTree(leaves: readonly string[]): (level: number, index: number) => Promise<Uint8Array> {
  const hashAt = (level: number, index: number): Uint8Array =>
    level === 0
      ? leafHash(Buffer.from(leaves[index] ?? '', 'hex'))
      : nodeHash(hashAt(level - 1, 2 * index), hashAt(level - 1, 2 * index + 1));
  return (level, index) => Promise.resolve(hashAt(level, index));
}

/** The members of a group from position 17 on. */
function members(count: number) {
  const all = hashes(count);
  const { root, paths } = groupTree(all);
  const events = all.map((hash, n) => ({
    seq: 17 + n,
    hash,
    group: { first: 17, count, path: paths[n] ?? [] },
  }));
  return { root, events };
}

describe('the tree of a group', () => {
  it.each(SIZES)('is that of RFC 9162 for %i events', async (count) => {
    const all = hashes(count);
    const { root, paths } = groupTree(all);
    const subtree = logTree(all);
    expect(root).toBe(Buffer.from(await treeRoot(subtree, count)).toString('hex'));
    for (const index of new Set([0, 1, count >> 1, count - 2, count - 1])) {
      if (index < 0 || index >= count) continue;
      const path = await inclusionPath(subtree, index, count);
      expect(paths[index]).toEqual(path.map((hash) => Buffer.from(hash).toString('base64')));
      expect(paths[index]).toHaveLength(pathLength(index, count));
    }
  });

  it('has at most 1,024 events', () => {
    expect(() => groupTree([])).toThrow(RangeError);
    expect(() => groupTree(hashes(1_025))).toThrow(RangeError);
  });

  it.each([
    ['the last position', 2 ** 53 - 1, 1, true],
    ['one beyond it', 2 ** 53 - 1, 2, false],
    ['1,024 events', 1, 1_024, true],
    ['1,025', 1, 1_025, false],
    ['none', 1, 0, false],
    ['position 0', 0, 1, false],
    ['half an event', 1, 0.5, false],
  ])('may be over %s: %d, %d: %s', (_what, first, count, may) => expect(isRange(first, count)).toBe(may));
});

describe('the path of an event', () => {
  it.each(SIZES)('leads to the root of %i events, by itself and beside those before it', (count) => {
    const { root, events } = members(count);
    const nodes = new GroupNodes(count);
    for (const event of events) {
      expect(isEventGroup(event.group, event.seq)).toBe(true);
      if (count <= 100) expect(groupRoot(event)).toBe(root);
      const climb = nodes.climb(event);
      expect(climb.root).toBe(root);
      nodes.learn(climb);
    }
  });

  it('hashes some two nodes an event where its neighbours are known', () => {
    const { events } = members(1_024);
    const nodes = new GroupNodes(1_024);
    let climbed = 0;
    for (const event of events) {
      const climb = nodes.climb(event);
      climbed += climb.nodes.length;
      nodes.learn(climb);
    }
    expect(climbed).toBeLessThan(4 * 1_024);
  });

  it.each([0, 1, 5, 6, 7, 12])('is refused at index %i when a hash of it is another', (index) => {
    const { root, events } = members(13);
    const nodes = new GroupNodes(13);
    for (const event of events) nodes.learn(nodes.climb(event));
    const event = events[index];
    if (event === undefined) throw new Error('no such event');
    expect(nodes.climb(event)).toEqual({ root, nodes: [] });
    for (const n of event.group.path.keys()) {
      const path = event.group.path.with(n, randomBytes(32).toString('base64'));
      const changed = { ...event, group: { ...event.group, path } };
      expect(nodes.climb(changed).root).not.toBe(root);
      expect(groupRoot(changed)).toBe(nodes.climb(changed).root);
    }
    const other = { ...event, hash: hashes(14)[13] ?? '' };
    expect(nodes.climb(other).root).toBe(groupRoot(other));
    expect(groupRoot(other)).not.toBe(root);
  });
});
