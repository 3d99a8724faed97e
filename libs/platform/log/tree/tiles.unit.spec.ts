import fc from 'fast-check';
import { leafHash, nodeHash, rootOf } from '#evidence';
import { perfectRoot } from './perfect-tree';
import { type HashTile, RightEdge } from './right-edge';
import { TileCache } from './tile-cache';
import { parseTilePath, type TileName, tilePath, widthIn } from './tile-path';
import { TiledTree, type TileSource } from './tiled-tree';

/** RFC 6962 section 2.1, word for word. */
function mth(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}

/** Tiles of a growing tree, kept as a storage would keep them. */
class Tiles implements TileSource {
  readonly shard = 0;
  readonly stored = new Map<string, Uint8Array>();
  readonly edge = RightEdge.empty();
  reads = 0;

  append(leaf: Uint8Array): void {
    for (const tile of this.edge.append(leaf)) this.keep(tile);
  }

  /** The tree as it is, with its partial tiles. */
  tree(cache = new TileCache(1 << 20)): TiledTree {
    for (const tile of this.edge.partialTiles()) this.keep(tile);
    return new TiledTree(this, cache, this.edge.size);
  }

  hashTile(name: TileName): Promise<Uint8Array> {
    this.reads++;
    const found = this.stored.get(tilePath(name));
    if (found === undefined) throw new Error(`no ${tilePath(name)}`);
    return Promise.resolve(found);
  }

  private keep({ name, hashes }: HashTile): void {
    this.stored.set(tilePath(name), Buffer.concat(hashes));
  }
}

const leafAt = (n: number): Uint8Array => leafHash(Buffer.from(`event ${n}`));
const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');

function tilesOf(size: number): { tiles: Tiles; leaves: Uint8Array[] } {
  const tiles = new Tiles();
  const leaves = Array.from({ length: size }, (_, n) => leafAt(n));
  for (const leaf of leaves) tiles.append(leaf);
  return { tiles, leaves };
}

/** RFC 9162 section 2.1.4.2, word for word: the roots that a consistency proof leads to. */
function consistencyRoots(from: number, to: number, path: Uint8Array[], first: Uint8Array): string[] | null {
  const proof = Number.isInteger(Math.log2(from)) ? [first, ...path] : [...path];
  let [fn, sn] = [from - 1, to - 1];
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  let [fr, sr] = [proof[0] as Uint8Array, proof[0] as Uint8Array];
  for (const c of proof.slice(1)) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      [fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else sr = nodeHash(sr, c);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? [hex(fr), hex(sr)] : null;
}

describe('the tiles of a tree', () => {
  // The published test trees of Certificate Transparency (github.com/google/certificate-transparency).
  const INPUTS = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const ROOTS = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];

  it('have the roots of the published test trees', async () => {
    const tiles = new Tiles();
    for (const [size, root] of ROOTS.entries()) {
      expect(hex(tiles.edge.root())).toBe(root);
      if (size > 0) expect(hex(await tiles.tree().root())).toBe(root);
      const input = INPUTS[size];
      if (input !== undefined) tiles.append(leafHash(Buffer.from(input, 'hex')));
    }
  });

  it.each([
    [1, 1, []],
    [
      1,
      8,
      [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    ],
    [
      6,
      8,
      [
        '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    ],
    [
      2,
      5,
      [
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    ],
  ])('have the published consistency proof from %i to %i', async (from, to, proof) => {
    const tiles = new Tiles();
    for (const input of INPUTS.slice(0, to)) tiles.append(leafHash(Buffer.from(input, 'hex')));
    expect((await tiles.tree().consistency(from)).map(hex)).toEqual(proof);
  });

  // Around the edges of tiles of two levels; 70,000 is the example of c2sp.org/tlog-tiles.
  it.each([1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000])(
    'lead to root and proofs at size %i',
    async (size) => {
      const { tiles, leaves } = tilesOf(size);
      const tree = tiles.tree();
      const root = await tree.root();
      expect(hex(root)).toBe(hex(mth(leaves)));
      expect(hex(tiles.edge.root())).toBe(hex(root));
      for (const index of [0, Math.floor(size / 3), size - 1]) {
        const path = await tree.inclusion(index);
        expect(hex(rootOf({ index, size, leaf: leaves[index] as Uint8Array, path }) ?? Buffer.alloc(0))).toBe(
          hex(root),
        );
      }
      for (const from of [1, 255, 256, Math.ceil(size / 2), size - 1].filter((n) => n > 0 && n < size)) {
        const before = mth(leaves.slice(0, from));
        const roots = consistencyRoots(from, size, await tree.consistency(from), before);
        expect(roots).toEqual([hex(before), hex(root)]);
      }
    },
  );

  it('are those of the specification at 70,000 leaves', () => {
    const { tiles } = tilesOf(70_000);
    tiles.tree();
    const names = [...tiles.stored.keys()].map(parseTilePath);
    const full = (level: number): number => names.filter((n) => n.level === level && n.width === 256).length;
    expect([full(0), full(1), full(2)]).toEqual([273, 1, 0]);
    expect(names.filter(({ width }) => width < 256)).toEqual([
      { level: 0, index: 273, width: 112 },
      { level: 1, index: 1, width: 17 },
      { level: 2, index: 0, width: 1 },
    ]);
  });

  it('lead to every proof of any two sizes, also with a cache that holds two tiles', async () => {
    const { tiles, leaves } = tilesOf(1_500);
    const tree = tiles.tree(new TileCache(2 * 16_352));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_499 }), async (from) => {
        const roots = consistencyRoots(from, 1_500, await tree.consistency(from), mth(leaves.slice(0, from)));
        expect(roots).toEqual([hex(mth(leaves.slice(0, from))), hex(mth(leaves))]);
        expect(hex(await tree.rootAt(from))).toBe(hex(mth(leaves.slice(0, from))));
      }),
      { numRuns: 60 },
    );
  });

  it('are read once while they are in the cache, and are forgotten by their last use', async () => {
    const { tiles } = tilesOf(256 * 4);
    const cache = new TileCache(3 * 16_352);
    const tree = tiles.tree(cache);
    await tree.inclusion(3);
    const reads = tiles.reads;
    await tree.inclusion(200);
    expect(tiles.reads).toBe(reads);
    for (const index of [300, 600, 900]) await tree.inclusion(index);
    expect(cache.bytes).toBeLessThanOrEqual(3 * 16_352);
    const before = tiles.reads;
    await tree.inclusion(3);
    expect(tiles.reads).toBeGreaterThan(before);
  });

  it('give back the edge that they were made from', async () => {
    for (const size of [1, 256, 300, 65_536, 65_900]) {
      const { tiles } = tilesOf(size);
      tiles.tree();
      const edge = await RightEdge.read(size, async (name) => {
        const bytes = await tiles.hashTile(name);
        return Array.from({ length: name.width }, (_, i) => bytes.subarray(i * 32, i * 32 + 32));
      });
      expect(hex(edge.root())).toBe(hex(tiles.edge.root()));
      tiles.edge.append(leafAt(size));
      edge.append(leafAt(size));
      expect(hex(edge.root())).toBe(hex(tiles.edge.root()));
    }
  });
});

describe('the path of a tile', () => {
  it.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, index: 273, width: 112 }, 'tile/0/273.p/112'],
    [{ level: 1, index: 1_234_067, width: 256 }, 'tile/1/x001/x234/067'],
    [{ level: 'entries', index: 1_234_067, width: 1 }, 'tile/entries/x001/x234/067.p/1'],
  ] as const)('of %j is %s', (name, path) => {
    expect(tilePath(name)).toBe(path);
    expect(parseTilePath(path)).toEqual(name);
  });

  it.each([
    '',
    'tile/0/0',
    'tile/0/0000',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001/x002',
    'tile/0/../000',
    'tile/data/000',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/x001/x001/x001/x001/001',
  ])('is not %j', (path) => {
    expect(() => parseTilePath(path)).toThrow('names no tile');
  });

  it('says how wide a tile is in a tree', () => {
    expect([0, 1, 2].map((index) => widthIn(300, 0, index))).toEqual([256, 44, 0]);
    expect([widthIn(300, 1, 0), widthIn(255, 1, 0), widthIn(65_536, 2, 0)]).toEqual([1, 0, 1]);
    expect(widthIn(300, 'entries', 1)).toBe(44);
    expect(hex(perfectRoot([leafAt(0), leafAt(1)]))).toBe(hex(mth([leafAt(0), leafAt(1)])));
  });
});
