import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { userCache } from './user-cache';

/** What scripts/user-cache.sh says to a shell with these variables, by default those of this process. */
function inShell(env?: Record<string, string>): { status: number | null; out: string; err: string } {
  const script = join(workTree(), 'scripts', 'user-cache.sh');
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', '. "$0"; printf %s "$cache"', script], {
    ...(env === undefined ? {} : { env }),
    encoding: 'utf8',
  });
  return { status, out: stdout, err: stderr };
}

describe('the cache of a user', () => {
  it('is where the install scripts put things', () => {
    expect(inShell()).toEqual({ status: 0, out: userCache(), err: '' });
  });

  it.each([
    ['XDG_CACHE_HOME', { XDG_CACHE_HOME: '/somewhere/else', HOME: '/home/ada' }, '/somewhere/else'],
    ['HOME', { HOME: '/home/ada' }, '/home/ada/.cache'],
  ])('is below what %s says', (_, env, folder) => {
    expect(inShell(env)).toEqual({ status: 0, out: `${folder}/illuvrse-kernel`, err: '' });
  });

  it('is not guessed for a user who has neither', () => {
    const { status, err } = inShell({});
    expect(status).toBe(1);
    expect(err).toContain('neither XDG_CACHE_HOME nor HOME is set');
  });
});
