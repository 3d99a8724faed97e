import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';

interface NestCli {
  monorepo: boolean;
  root: string;
  sourceRoot: string;
  compilerOptions: Record<string, unknown>;
  projects: Record<string, { type: string; root: string; sourceRoot: string; entryFile: string }>;
}

/** Editors and `nest info` read nest-cli.json; builds do not use it (scripts/build.mjs compiles). */
describe('nest-cli.json', () => {
  const tree = workTree();
  const config = JSON.parse(readFileSync(join(tree, 'nest-cli.json'), 'utf8')) as NestCli;
  const manifest = JSON.parse(readFileSync(join(tree, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };

  it('lists every app, and where it starts', () => {
    // Runs in browsers, without Nest.
    const apps = readdirSync(join(tree, 'apps')).filter((app) => app !== 'admin-ui');
    expect(config.monorepo).toBe(true);
    expect(Object.keys(config.projects).sort()).toEqual(apps.sort());
    for (const [name, project] of Object.entries(config.projects)) {
      const root = `apps/${name}`;
      expect(project).toEqual({ type: 'application', root, sourceRoot: root, entryFile: 'main' });
      expect(existsSync(join(tree, root, 'main.ts'))).toBe(true);
    }
    expect([config.root, config.sourceRoot]).toEqual(['apps/kernel', 'apps/kernel']);
  });

  it('names no compiler as long as Nest is not what compiles', () => {
    expect(manifest.devDependencies).not.toHaveProperty('@nestjs/cli');
    expect(config.compilerOptions).toEqual({ tsConfigPath: 'tsconfig.json' });
    expect(existsSync(join(tree, 'tsconfig.json'))).toBe(true);
  });
});
