import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { THIEVES } from './fake';
import { ALL_FAKES, fakesBy } from './suite';

const page = readFileSync(join(workTree(), 'docs', 'security.md'), 'utf8');
/** As in the links that GitHub makes of headings. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

/** The table at the beginning of the page, as the suite has it. */
function expectedRows(): string[][] {
  const rows = Object.entries(THIEVES).map(([thief, title]) => [
    `[${title}](#${anchor(title)})`,
    String(fakesBy(ALL_FAKES, thief).length),
    '0',
  ]);
  return [...rows, ['all', String(ALL_FAKES.length), '0']];
}

describe('the red-team suite', () => {
  it('has at least 150 fakes, no two alike', () => {
    const names = ALL_FAKES.map(({ thief, name }) => `${thief}: ${name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(150);
    const counts = expectedRows().map(([thief, count]) => `${count} ${thief}`);
    process.stdout.write(
      `Fakes by thief, of which the specs of test/red-team accept none:\n${counts.join('\n')}\n`,
    );
  });

  it('has fakes of every thief, each with the word of its refusal', () => {
    for (const thief of Object.keys(THIEVES)) {
      expect(fakesBy(ALL_FAKES, thief).length).toBeGreaterThanOrEqual(15);
    }
    for (const { says } of ALL_FAKES) expect(says).not.toBe('');
  });

  it('is what docs/security.md says it is', () => {
    const table = page.slice(page.indexOf('<!-- fakes -->'), page.indexOf('<!-- /fakes -->'));
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .slice(2)
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
    expect(rows).toEqual(expectedRows());
  });

  it('has a section for each thief, with the same questions answered in each', () => {
    const [, ...sections] = page.split(/^## /m);
    const thieves = sections.slice(1);
    expect(thieves.map((section) => section.split('\n', 1)[0])).toEqual(Object.values(THIEVES));
    for (const section of thieves) {
      const questions = section
        .split('\n')
        .filter((line) => line.startsWith('|'))
        .slice(2);
      expect(questions.map((line) => line.split('|')[1]?.trim())).toEqual([
        'Has',
        'Can still do',
        'Who says so',
        'Do',
        'Honest limit',
      ]);
    }
  });
});
