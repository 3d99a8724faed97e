import { LogError } from '../log.error';

/** Hashes of a full tile, and entries of a full bundle (c2sp.org/tlog-tiles). */
export const TILE_WIDTH = 256;
/** Levels of hashes that a tile spans: 2^8 = 256. */
export const TILE_HEIGHT = 8;
export const HASH_BYTES = 32;

/** A hash tile at a level, or a bundle of entries. */
export interface TileName {
  readonly level: number | 'entries';
  /** Index within the level, from 0. */
  readonly index: number;
  /** Hashes or entries in it: 256, or fewer at the right edge of a tree. */
  readonly width: number;
}

const LEVEL = /^(0|[1-9]|[1-5][0-9]|6[0-3])$/;
/** Up to 10^12 tiles, which is more than 2^47 entries: numbers stay exact. */
const INDEX = /^((?:x[0-9]{3}\/){0,3})([0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** The path below the log: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`, N as `x001/x234/067`. */
export function tilePath({ level, index, width }: TileName): string {
  const groups = [String(index % 1_000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1_000); rest > 0; rest = Math.floor(rest / 1_000)) {
    groups.unshift(`x${String(rest % 1_000).padStart(3, '0')}`);
  }
  return `tile/${level}/${groups.join('/')}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** Reads such a path: only the one spelling of each. @throws LogError `invalid_tile_path` */
export function parseTilePath(path: string): TileName {
  const [, level, rest] = /^tile\/([^/]+)\/(.+)$/.exec(path) ?? [];
  const [, groups, last, width] = INDEX.exec(rest ?? '') ?? [];
  const known = level === 'entries' || LEVEL.test(level ?? '');
  if (level !== undefined && known && last !== undefined && Number(width ?? 1) < TILE_WIDTH) {
    const name: TileName = {
      level: level === 'entries' ? level : Number(level),
      index: Number(`${groups ?? ''}${last}`.replaceAll(/[x/]/g, '')),
      width: width === undefined ? TILE_WIDTH : Number(width),
    };
    // `x000/001` would be a second name of `001`.
    if (tilePath(name) === path) return name;
  }
  throw new LogError(
    'invalid_tile_path',
    'This names no tile: it is tile/<level or "entries">/<index as x001/234>, with .p/<width> for a partial one.',
  );
}

/** Width of the tile at an index in the tree of a size; 0 when the tree has no such tile. */
export function widthIn(size: number, level: number | 'entries', index: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** (level === 'entries' ? 0 : level));
  return Math.min(Math.max(hashes - index * TILE_WIDTH, 0), TILE_WIDTH);
}
