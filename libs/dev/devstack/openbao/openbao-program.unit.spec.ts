import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { OPENBAO_VERSION, openBaoProgram } from './openbao-program';

describe('the OpenBao program', () => {
  const script = readFileSync(join(workTree(), 'scripts', 'install-openbao.sh'), 'utf8');

  it('is looked for where the script puts it, in the version that the script fetches', () => {
    expect(/^version=(.+)$/m.exec(script)?.[1]).toBe(OPENBAO_VERSION);
    expect(script).toContain('/user-cache.sh"\ntarget=$cache/openbao-$version');
    expect(openBaoProgram()).toMatch(
      new RegExp(`/illuvrse-kernel/openbao-${OPENBAO_VERSION.replaceAll('.', '\\.')}/bao$`),
    );
  });

  it('is taken only as the file that was looked at, on each machine', () => {
    const digests = script.match(/^[a-z0-9_]+=[0-9a-f]{64}$/gm) ?? [];
    expect(new Set(digests).size).toBe(3);
    expect(script).toContain('--require-hashes');
  });
});
