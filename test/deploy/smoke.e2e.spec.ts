import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withStack, workTree } from '#dev/testing';

describe("the chart's test that signs and verifies, at a real kernel", () => {
  const stack = withStack();
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'smoke-'));
    await mkdir(join(root, 'client'));
    await mkdir(join(root, 'authorities'));
    await copyFile(stack().identities.caCert, join(root, 'authorities/ca.crt'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const run = async (caller: 'OPERATOR' | 'AUDITOR') => {
    const { cert, key } = stack().identities.callers[caller];
    await copyFile(cert, join(root, 'client/tls.crt'));
    await copyFile(key, join(root, 'client/tls.key'));
    return promisify(execFile)(process.execPath, [join(workTree(), 'k8s/chart/files/smoke.mjs')], {
      env: { SMOKE_API_URL: stack().kernels[0]?.apiUrl, SMOKE_ROOT: root },
    });
  };

  it('says what it signed, with which key', async () => {
    const { stdout } = await run('OPERATOR');
    expect(stdout).toMatch(/^signed smoke-\S+ with \S+, verified here and by the kernel; recorded as \S+\n$/);
  });

  it('fails with the answer where the kernel refuses', async () => {
    await expect(run('AUDITOR')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('POST /kernel/sign was answered with 403') as string,
    });
  });
});
