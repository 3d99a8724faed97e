import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { sortedEntries } from './sorted-entries';

describe('the entries of a directory', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sorted-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function names(batch: number): Promise<string[]> {
    const found: string[] = [];
    for await (const { name, isDirectory } of sortedEntries(dir, () => true, batch)) {
      found.push(isDirectory ? `${name}/` : name);
    }
    return found;
  }

  it('come in key order, each once, whatever fits in memory', async () => {
    const segment = fc.stringMatching(/^[a-c_0-9][a-c_0-9.-]{0,3}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.record({ name: segment, isDirectory: fc.boolean() }), {
          selector: ({ name }) => name,
          maxLength: 30,
        }),
        fc.integer({ min: 1, max: 12 }),
        async (entries, batch) => {
          await rm(dir, { recursive: true });
          await mkdir(dir);
          for (const { name, isDirectory } of entries) {
            await (isDirectory ? mkdir(join(dir, name)) : writeFile(join(dir, name), ''));
          }
          const expected = entries.map(({ name, isDirectory }) => (isDirectory ? `${name}/` : name)).sort();
          expect(await names(batch)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are held a bounded number at a time', async () => {
    for (let n = 0; n < 40; n++) await writeFile(join(dir, `f${n}`), '');
    const asked: string[] = [];
    const entries = sortedEntries(
      dir,
      ({ name }) => {
        asked.push(name);
        return true;
      },
      10,
    );
    await entries.next();
    expect(asked).toHaveLength(40);
    // The second batch is read only after the first one is consumed.
    for (let n = 0; n < 9; n++) await entries.next();
    expect(asked).toHaveLength(40);
    await entries.next();
    expect(asked).toHaveLength(70);
    await entries.return(undefined);
  });
});
