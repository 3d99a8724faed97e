import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { readLines } from './check-lines';

describe('readLines', () => {
  let dir: string;
  beforeAll(() => (dir = mkdtempSync(join(tmpdir(), 'check-lines-'))));
  afterAll(() => rmSync(dir, { recursive: true }));

  it('gives every line once, wherever the file is cut', () => {
    const path = join(dir, 'lines');
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{0,12}$/), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 30 }),
        (lines, ended, step) => {
          const text = lines.join('\n') + (ended ? '\n' : '');
          writeFileSync(path, text);
          const found: string[] = [];
          for (let start = 0; start < text.length; start += step) {
            readLines(path, start, Math.min(start + step, text.length), (line) =>
              found.push(Buffer.from(line).toString()),
            );
          }
          const expected = text.split('\n');
          if (expected.at(-1) === '') expected.pop();
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('does not keep all of an endless line', () => {
    const path = join(dir, 'endless');
    writeFileSync(path, `${'x'.repeat(5_000_000)}\nlast\n`);
    const lengths: number[] = [];
    for (let start = 0; start < 5_000_006; start += 1 << 20) {
      readLines(path, start, Math.min(start + (1 << 20), 5_000_006), (line) => lengths.push(line.length));
    }
    expect(lengths).toHaveLength(2);
    expect(lengths[0]).toBeLessThan(3_000_000);
    expect(lengths[1]).toBe(4);
  });
});
