import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureBuilt, workTree } from '#dev/testing';

describe('the build of the admin UI', () => {
  let scratch: string;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kernel ui-'));
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  it('makes the same files of the same sources, in another folder and environment', async () => {
    const list = await readFile(join(await ensureBuilt(), 'admin-ui', 'bundle.json'), 'utf8');
    for (const path of [
      'apps/admin-ui',
      'libs/evidence',
      'scripts',
      'package.json',
      'tsconfig.json',
      'openapi',
    ]) {
      await cp(join(workTree(), path), join(scratch, path), { recursive: true });
    }
    await symlink(join(workTree(), 'node_modules'), join(scratch, 'node_modules'));
    const out = join(scratch, 'out');
    const script = `import('./scripts/build-admin-ui.mjs').then(({ bundle }) => bundle(process.argv[1]))`;
    await promisify(execFile)(process.execPath, ['--eval', script, out], {
      cwd: scratch,
      env: { HOME: scratch, NODE_ENV: 'development', TZ: 'Asia/Tokyo', VITE_ANYTHING: 'x' },
    });
    expect(await readFile(join(out, 'bundle.json'), 'utf8')).toBe(list);
  });
});
