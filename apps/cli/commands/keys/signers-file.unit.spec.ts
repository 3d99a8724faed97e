import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSignersFile, signersJson } from '#evidence';
import { TestSigner } from '#dev/testing';
import { updateSignersFile } from './signers-file';

const ORIGIN = 'kernel.example.com/updated';
const entryOf = (kid: string, n: number) => new TestSigner(kid, { seed: Buffer.alloc(32, n) }).entry;

describe('a signers.json that is brought up to date', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'signers-file-'));
    path = join(folder, 'signers.json');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps what only the file knows', async () => {
    writeFileSync(path, signersJson([entryOf('old', 1)], ORIGIN));
    expect(await updateSignersFile(path, { origin: ORIGIN, signers: [entryOf('new', 2)] })).toEqual(['new']);
    const { signers } = parseSignersFile(readFileSync(path));
    expect(signers.map(({ signer_kid }) => signer_kid)).toEqual(['old', 'new']);
  });

  it('is left as it is when it has a registered key under another name, which no verifier would read', async () => {
    const text = signersJson([entryOf('nickname', 2)], ORIGIN);
    writeFileSync(path, text);
    const update = updateSignersFile(path, { origin: ORIGIN, signers: [entryOf('new', 2)] });
    await expect(update).rejects.toMatchObject({
      code: 'file_problem',
      message: expect.stringContaining('has the public key of new under the name nickname') as string,
    });
    expect(readFileSync(path, 'utf8')).toBe(text);
  });
});
