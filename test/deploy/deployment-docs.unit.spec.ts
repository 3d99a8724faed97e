import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { workTree } from '#dev/testing';

const PAGE = 'docs/deployment.md';
const page = readFileSync(join(workTree(), PAGE), 'utf8');

/** Blocks of commands with what the comment above each says of it. */
const blocks = [...page.matchAll(/(?:<!-- (tested|cloud): ([^>]+) -->\n\n)?```sh\n([\s\S]*?)```/g)].map(
  ([, kind, what = '', commands = '']) => ({ kind, what, commands }),
);

describe('docs/deployment.md', () => {
  it('says of every block of commands what runs it', () => {
    expect(blocks.length).toBeGreaterThan(8);
    expect(blocks.filter(({ kind }) => kind === undefined).map(({ commands }) => commands)).toEqual([]);
  });

  it('names tests that are there and use the program', () => {
    const tested = blocks.filter(({ kind }) => kind === 'tested');
    expect(tested.length).toBeGreaterThan(6);
    for (const { what, commands } of tested) {
      const test = readFileSync(join(workTree(), what), 'utf8');
      const [program = ''] = /[\w.-]+(?=\s|$)/.exec(commands.trim().replace(/^\S*\//, '')) ?? [];
      expect({ what, program, isUsed: wordsOf(program).some((word) => test.includes(word)) }).toEqual({
        what,
        program,
        isUsed: true,
      });
    }
  });

  it('names files of this repository that are there', () => {
    const named = [
      ...[...page.matchAll(/\]\(([^)#:]+)/g)].map(([, link = '']) => join(dirname(PAGE), link)),
      ...[...page.matchAll(/(?<![\w/.-])(?:scripts|k8s|test|tools|openapi)\/[\w./-]*\w/g)].map(
        ([path]) => path,
      ),
    ];
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(join(workTree(), path)) && !isSuite(path))).toEqual([]);
  });
});

/** How tests call a program, where it is not by its name. */
function wordsOf(program: string): string[] {
  if (program === 'kernel') return ['runMigrat', "'migrate'", 'migrate'];
  if (program === 'kubectl' || program === 'helm') return ['helm', 'release', 'install'];
  if (program === 'build-image.sh') return ['testImage'];
  if (program === 'bao') return ['openbao'];
  return [program, program.replace(/\.sh$/, '')];
}

function isSuite(path: string): boolean {
  return existsSync(join(workTree(), `${path}.spec.ts`));
}
