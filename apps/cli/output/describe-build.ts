import { type BuildRecord, runningBuild } from '#dev/devstack';

/** What `--version` shows: the build that answers. */
export function versionText(): string {
  const build = runningBuild();
  if (build === undefined) return 'illuvrse-kernel, run from its sources';
  return `illuvrse-kernel ${build.version}\nbuild ${describeBuild(build)}, built ${build.builtAt}`;
}

/** One build in a few words, short enough for a line of `status`. */
export function describeBuild({ digest, commit, changed }: BuildRecord): string {
  if (commit === null) return `${digest} (no commit)`;
  return `${digest} (commit ${commit.slice(0, 12)}${changed ? ' with changes' : ''})`;
}
