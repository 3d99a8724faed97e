import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger } from '#platform/process';
import { readAdminUi } from './admin-ui';

describe('a kernel without its admin UI', () => {
  let adminUiFolder: string;
  beforeEach(async () => {
    adminUiFolder = await mkdtemp(join(tmpdir(), 'kernel-no-ui-'));
  });
  afterEach(() => rm(adminUiFolder, { recursive: true, force: true }));

  const warnings: string[] = [];
  const logger = { warn: (_: object, message: string) => warnings.push(message) } as unknown as Logger;

  it('does not start in production', async () => {
    await expect(readAdminUi({ adminUiFolder, isProduction: true }, logger)).rejects.toMatchObject({
      code: 'invalid_bundle',
      message: expect.stringContaining(adminUiFolder) as unknown,
    });
  });

  it('says so in development, and goes on without', async () => {
    expect(await readAdminUi({ adminUiFolder, isProduction: false }, logger)).toBeUndefined();
    expect(warnings).toEqual(['there is no admin UI']);
  });
});
