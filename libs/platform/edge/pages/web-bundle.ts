import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { HttpEdgeError } from '../http-edge.error';

/** A file of a bundle, as it was built. */
export interface BundleFile {
  readonly bytes: Buffer;
  readonly contentType: string;
  /** Hex. */
  readonly sha256: string;
}

/** A built page with its files (scripts/build-admin-ui.mjs), held in memory: what was checked is what is served. */
export interface WebBundle {
  /** SHA-256 of bundle.json, which has that of each file: the name of exactly this bundle, in hex. */
  readonly sha256: string;
  /** By path without a leading slash. */
  readonly files: ReadonlyMap<string, BundleFile>;
}

interface ListedFile {
  readonly path: string;
  readonly sha256: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.md': 'text/plain; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const LIST = 'bundle.json';
const PATH = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

/** @throws HttpEdgeError `invalid_bundle` when the folder has no bundle, or one of its files is another */
export async function readWebBundle(folder: string): Promise<WebBundle> {
  const list = await read(folder, LIST);
  const sha256 = sha256Hex(list);
  // Readable for everyone, so that what is served can be compared with what was built.
  const files = new Map<string, BundleFile>([
    [LIST, { bytes: list, contentType: 'application/json', sha256 }],
  ]);
  for (const { path, sha256: built } of listedIn(list, folder)) {
    const contentType = TYPES[extname(path)];
    if (contentType === undefined) throw invalid(folder, `${path} is of no kind that a page consists of`);
    const bytes = await read(folder, path);
    if (sha256Hex(bytes) !== built) throw invalid(folder, `${path} is not the file that was built`);
    files.set(path, { bytes, contentType, sha256: built });
  }
  if (!files.has('index.html')) throw invalid(folder, 'it has no index.html');
  return { sha256, files };
}

function listedIn(list: Buffer, folder: string): ListedFile[] {
  let parsed: { v?: unknown; files?: unknown };
  try {
    parsed = JSON.parse(list.toString('utf8')) as typeof parsed;
  } catch (cause) {
    throw invalid(folder, 'bundle.json is not JSON', cause);
  }
  const files = Array.isArray(parsed.files) ? (parsed.files as Partial<ListedFile>[]) : [];
  const isFile = (file: Partial<ListedFile>): file is ListedFile =>
    typeof file.path === 'string' && PATH.test(file.path) && typeof file.sha256 === 'string';
  if (parsed.v !== 1 || !files.every(isFile)) throw invalid(folder, 'bundle.json is not a list of files');
  return files;
}

async function read(folder: string, path: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, path));
  } catch (cause) {
    throw invalid(folder, `${path} cannot be read`, cause);
  }
}

function invalid(folder: string, what: string, cause?: unknown): HttpEdgeError {
  return new HttpEdgeError(
    'invalid_bundle',
    `There is no whole admin UI in ${folder}: ${what}. It is a part of each build (./kernel builds).`,
    { folder },
    { cause },
  );
}

function sha256Hex(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
