// Builds clients/typescript/dist: the program as one file, with the part of libs/evidence that it uses, and its types. `npm pack`
// runs it first. The packages that it needs are named in its own package.json and stay outside. With a folder as argument only the
// program is built, and there.
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const client = join(root, 'clients', 'typescript');
const [elsewhere] = process.argv.slice(2);
const dist = elsewhere ?? join(client, 'dist');
const { dependencies } = JSON.parse(await readFile(join(client, 'package.json'), 'utf8'));

await rm(dist, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: [join(client, 'src', 'index.ts')],
  outfile: join(dist, 'index.js'),
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  charset: 'utf8',
  alias: {
    '#openapi/kernel': './openapi/kernel.types.ts',
    '#evidence': './libs/evidence/index.ts',
    '#evidence-crypto': './libs/evidence/crypto/node-crypto.ts',
  },
  external: Object.keys(dependencies),
  logLevel: 'error',
});

if (elsewhere === undefined) await writeTypes();

/** The compiler writes types for every file that they come from; the client's own name nothing but each other and the contract. */
async function writeTypes() {
  const declared = await mkdtemp(join(client, '.types-'));
  try {
    const options = ['--noEmit', 'false', '--incremental', 'false', '--declaration', '--emitDeclarationOnly'];
    execFileSync(
      process.execPath,
      [
        join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
        '-p',
        client,
        ...options,
        '--outDir',
        declared,
      ],
      { stdio: 'inherit' },
    );
    const folder = join(declared, 'clients', 'typescript', 'src');
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), 'utf8');
      const own = text
        .replaceAll("'#openapi/kernel'", "'./kernel.types.js'")
        .replaceAll(/(from|import\() ?'(\.\/[a-z-]+)'/g, (_, word, file) =>
          `${word} '${file}.js'`.replace("( '", "('"),
        );
      if (text.includes('#evidence'))
        throw new Error(`the types of ${name} need libs/evidence, which is not packed`);
      await writeFile(join(dist, name), own);
    }
    await cp(join(root, 'openapi', 'kernel.types.ts'), join(dist, 'kernel.types.d.ts'));
  } finally {
    await rm(declared, { recursive: true, force: true });
  }
}
