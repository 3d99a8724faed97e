// Compiles apps/, libs/ and test/ to dist/ with SWC (types are checked by `npm run check:types`).
// `nest build` in monorepo mode builds the root project only, so the compiler is called directly.
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { transformFile } from '@swc/core';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
// Built beside its place and swapped in: a process that is started meanwhile finds the old or the new program, whole.
const out = `${dist}.${process.pid}.partial`;

/** Every .ts source below dir that is neither a test or its fixture nor a declaration. */
async function sources(dir) {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((e) => e.isFile() && e.name.endsWith('.ts') && !/\.(spec|fixture|d)\.ts$/.test(e.name))
    .map((e) => join(e.parentPath, e.name));
}

try {
  const files = (await Promise.all(['apps', 'libs', 'test'].map((d) => sources(join(root, d))))).flat();
  await Promise.all(
    files.map(async (file) => {
      const target = join(out, file.slice(root.length + 1)).replace(/\.ts$/, '.js');
      const { code, map } = await transformFile(file, { sourceMaps: true, swcrc: true });
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, `${code}\n//# sourceMappingURL=${target.split('/').at(-1)}.map\n`);
      if (map) await writeFile(`${target}.map`, map);
    }),
  );
  const old = `${dist}.${process.pid}.old`;
  await rename(dist, old).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(out, dist);
  await rm(old, { recursive: true, force: true });
} finally {
  await rm(out, { recursive: true, force: true });
}
