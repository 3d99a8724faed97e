import { homedir } from 'node:os';
import { join } from 'node:path';
import { defineConfig, loadPart, path } from '#platform/process';

/** Where scripts/install-*.sh put what is fetched or built once for all checkouts. */
export function userCache(): string {
  const { xdgCacheHome } = loadPart(
    defineConfig({
      XDG_CACHE_HOME: { schema: path().optional(), description: "The user's cache; default ~/.cache." },
    }),
  );
  return join(xdgCacheHome ?? join(homedir(), '.cache'), 'illuvrse-kernel');
}
