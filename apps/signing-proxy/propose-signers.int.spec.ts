import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { AUDIT, type ProxyFixture, startProxyFixture } from './proxy.fixture';
import { operatorEnvironment, type ProcedureRun } from './shell-procedure.fixture';

describe('ci/propose_signers.sh', () => {
  let fixture: ProxyFixture;
  let dir: string;
  let project: string;
  let remote: string;
  let environment: Record<string, string>;

  const run = (program: string, args: readonly string[], cwd = project): Promise<ProcedureRun> =>
    new Promise((resolve) => {
      const PATH = `${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`;
      execFile(program, args, { cwd, env: { PATH, HOME: dir, ...environment } }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  const git = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run('git', args);
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const propose = () => run('/bin/sh', [join(project, 'ci', 'propose_signers.sh')]);

  beforeAll(async () => {
    fixture = await startProxyFixture();
    dir = await mkdtemp(join(tmpdir(), 'propose-signers-'));
    project = join(dir, 'project');
    remote = join(dir, 'remote.git');
    environment = {
      ...(await operatorEnvironment(fixture, dir)),
      SIGNERS_PUSH_URL: remote,
      SIGNERS_PUSH_TOKEN: 'a-token-that-nobody-prints',
    };
    for (const name of ['ci', 'scripts', 'tools']) {
      await cp(join(workTree(), name), join(project, name), { recursive: true });
    }
    await writeFile(join(project, 'tools/signers.json'), '{ "signers": [] }\n');
    await git('init', '--quiet', '--initial-branch', 'main');
    await git('add', '--all');
    await git(
      '-c',
      'user.name=test',
      '-c',
      'user.email=test@example.com',
      'commit',
      '--quiet',
      '--message',
      'test',
    );
    await git('init', '--quiet', '--bare', remote);
    await git('-C', remote, 'config', 'receive.advertisePushOptions', 'true');
    await mkdir(join(remote, 'hooks'), { recursive: true });
    const hook = `#!/bin/sh\nenv | grep '^GIT_PUSH_OPTION_[0-9]' | sort > '${dir}/options'\n`;
    await writeFile(join(remote, 'hooks/post-receive'), hook, { mode: 0o755 });
  });
  afterAll(async () => {
    await fixture.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('proposes the keys of the proxy as a merge request, once', async () => {
    const { code, stdout, stderr } = await propose();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, branch = ''] = /proposed as (signers\/[0-9a-f]{12})\n/.exec(stdout) ?? [];
    expect(stdout).not.toContain('a-token-that-nobody-prints');
    const proposed = await git('-C', remote, 'show', `${branch}:tools/signers.json`);
    expect(proposed).toContain(`"signer_kid": "${AUDIT}"`);
    expect(await git('-C', remote, 'diff', '--name-only', `${branch}~1`, branch)).toBe('tools/signers.json');
    const options = await readFile(join(dir, 'options'), 'utf8');
    expect(options).toContain('merge_request.create');
    expect(options).toContain('merge_request.target=main');

    await git('checkout', '--quiet', 'main');
    expect((await propose()).stdout).toContain(`${branch} is there already`);
    expect(await git('status', '--porcelain')).toBe('');
  });

  it('proposes nothing when the file has all keys, or the proxy is away', async () => {
    await git('checkout', '--quiet', 'main');
    const before = await git('-C', remote, 'branch', '--list');
    await git('merge', '--quiet', (await git('branch', '--list', 'signers/*')).trim());
    expect((await propose()).stdout).toContain('nothing to propose');
    const { KERNEL_SIGNING_PROXY_URL: url } = environment;
    environment = { ...environment, KERNEL_SIGNING_PROXY_URL: 'https://localhost:1' };
    expect((await propose()).code).toBe(1);
    environment = { ...environment, KERNEL_SIGNING_PROXY_URL: url ?? '' };
    expect(await git('-C', remote, 'branch', '--list')).toBe(before);
  });
});
