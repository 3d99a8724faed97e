import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';

const SHEETS = join(workTree(), 'node_modules', '@mantine', 'core', 'styles');
const SOURCES = join(workTree(), 'apps/admin-ui');

/** Without its sheet a component is there, and looks like nothing. */
it('has the sheet of every component that is used', () => {
  const listed = readFileSync(join(SOURCES, 'shell', 'styles.css'), 'utf8');
  const sources = globSync('**/*.tsx', { cwd: SOURCES });
  expect(sources.length).toBeGreaterThan(10);
  const used = sources.flatMap((file) => {
    const text = readFileSync(join(SOURCES, file), 'utf8');
    return [...text.matchAll(/import \{([^}]*)\} from '@mantine\/core'/g)].flatMap(([, names = '']) =>
      names.split(',').map((name) => name.trim().replace(/^type /, '')),
    );
  });
  const missing = [...new Set(used)]
    .filter((name) => existsSync(join(SHEETS, `${name}.css`)))
    .filter((name) => !listed.includes(`'@mantine/core/styles/${name}.css'`));
  expect(missing).toEqual([]);
});
