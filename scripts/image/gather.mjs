// Gathers what the image has of a build (scripts/build.mjs): the programs that its entrypoint knows, the libraries without
// those for development, the contracts, and the admin UI. Usage: node scripts/image/gather.mjs BUILD TARGET
import { chmod, cp, mkdir, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [build, target] = process.argv.slice(2).map((folder) => resolve(folder));
if (build === undefined || target === undefined) {
  console.error('usage: node scripts/image/gather.mjs BUILD TARGET');
  process.exit(2);
}

const { IMAGE_PROGRAMS } = createRequire(import.meta.url)(join(build, 'apps/entrypoint/programs.js'));
const apps = ['entrypoint', ...Object.keys(IMAGE_PROGRAMS)].map((name) => join('apps', name));
const libs = ['evidence', 'modules', 'platform'].map((name) => join('libs', name));

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
for (const name of [...apps, ...libs, 'openapi', 'package.json']) {
  await cp(join(build, name), join(target, name), {
    recursive: true,
    // Source maps are a third of a build; the compiled files read as their sources do.
    filter: (file) => !/\.(map|types\.ts)$/.test(file),
  });
}
// Whole: its bundle.json lists every file.
await cp(join(build, 'admin-ui'), join(target, 'admin-ui'), { recursive: true });
// Where the image's OPENAPI_PATH says that it is.
await cp(join(build, 'openapi/kernel.yaml'), join(target, 'openapi.yaml'));

// Modes of the image, whatever the umask was under which the sources were written.
await chmod(target, 0o755);
for (const entry of await readdir(target, { recursive: true, withFileTypes: true })) {
  await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
}
