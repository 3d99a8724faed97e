import { join } from 'node:path';
import { buildSync } from 'esbuild';

type Evidence = typeof import('./index');

/** The door as a browser gets it: bundled for browsers, and run without anything that only Node.js has. */
export function browserBuild(): Evidence {
  const { outputFiles } = buildSync({
    entryPoints: [join(__dirname, 'index.ts')],
    alias: { '#evidence-crypto': join(__dirname, 'crypto/browser-crypto.ts') },
    bundle: true,
    // Refuses to bundle what imports from Node.js.
    platform: 'browser',
    format: 'iife',
    globalName: 'evidence',
    write: false,
  });
  const hidden = ['process', 'Buffer', 'global', 'require', 'module', 'setImmediate'];
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the bundle is this repository's own
  const run = new Function(...hidden, `${outputFiles[0]?.text}; return evidence;`) as () => Evidence;
  return run();
}
