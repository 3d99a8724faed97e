import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EvidenceChain, TestSigner } from '#dev/testing';
import { registryLines } from './export-file';

describe('registryLines', () => {
  let dir: string;
  beforeAll(() => (dir = mkdtempSync(join(tmpdir(), 'export-file-'))));
  afterAll(() => rmSync(dir, { recursive: true }));

  it('finds every signer event, wherever reads are cut', () => {
    const signer = new TestSigner('k1');
    const chain = new EvidenceChain(signer);
    chain.addSigner();
    // Reads are of 4 MiB: the file has more than two.
    const text = 'x'.repeat(1_000);
    for (let i = 0; i < 7_000; i++) {
      if (i % 1_000 === 500) chain.addSigner(new TestSigner(`k${i}`));
      else chain.append({ payload: { text } });
    }
    chain.addSigner(new TestSigner('last'));
    const path = join(dir, 'export');
    writeFileSync(path, chain.ndjson().slice(0, -1));
    const found = [...registryLines(path)].map((line) => Buffer.from(line).toString());
    const expected = chain.bytes.map((bytes) => Buffer.from(bytes).toString());
    expect(found).toEqual(expected.filter((line) => line.includes('"stream":"signer/')));
    expect(found).toHaveLength(9);
  });
});
