import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chooseProgram } from './choose-program';
import { IMAGE_PROGRAMS } from './programs';

describe('chooseProgram', () => {
  it.each(Object.keys(IMAGE_PROGRAMS))('runs %s, whose program is there', (name) => {
    expect(chooseProgram([name, '--check'])).toEqual({
      kind: 'run',
      name,
      program: IMAGE_PROGRAMS[name],
      args: ['--check'],
    });
    expect(existsSync(join(__dirname, '..', name, 'main.ts'))).toBe(true);
  });

  it.each([['cli'], ['constructor'], ['../kernel'], ['Kernel'], ['']])(
    'refuses %j, and lists what there is',
    (name) => {
      expect(chooseProgram([name])).toEqual({
        kind: 'refused',
        sentence: expect.stringMatching(/ is no process of this image; it has kernel, .*, migrate\.$/),
      });
    },
  );

  it('refuses nothing at all, and shortens what is too long', () => {
    expect(chooseProgram([])).toMatchObject({ kind: 'refused', sentence: expect.stringContaining('--help') });
    const { sentence } = chooseProgram(['x'.repeat(500)]) as { sentence: string };
    expect(sentence).toContain(`"${'x'.repeat(40)}..."`);
  });

  it('lists every process in its help', () => {
    const { text } = chooseProgram(['--help']) as { text: string };
    for (const name of Object.keys(IMAGE_PROGRAMS)) expect(text).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it('asks for the health of what runs', () => {
    expect(chooseProgram(['health'])).toEqual({ kind: 'health' });
  });
});
