import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signersJson } from '#evidence';
import { TestSigner } from '#dev/testing';
import { readTrustRoot } from './trust-root';

const ORIGIN = 'kernel.example.com/test';

describe('readTrustRoot', () => {
  const signer = new TestSigner('k1');
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'trust-root-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });

  function read(content: string, isProduction = false): unknown {
    const trustRootFile = join(dir, 'signers.json');
    writeFileSync(trustRootFile, content);
    return readTrustRoot({ trustRootFile, isProduction }, ORIGIN);
  }

  it('reads the keys', () => {
    expect(read(signersJson([signer.entry], ORIGIN), true)).toEqual([signer.entry]);
    expect(read(signersJson([signer.entry]))).toEqual([signer.entry]);
  });

  it('may be left out in development alone', () => {
    expect(readTrustRoot({ trustRootFile: undefined, isProduction: false }, ORIGIN)).toBeNull();
    expect(() => readTrustRoot({ trustRootFile: undefined, isProduction: true }, ORIGIN)).toThrow(
      /KERNEL_TRUST_ROOT_FILE: is missing/,
    );
  });

  it.each([
    ['no JSON', 'x', /not acceptable JSON/],
    [
      "another kernel's keys",
      signersJson([signer.entry], 'kernel.example.com/other'),
      /keys of kernel.example.com\/other/,
    ],
    ['no key at all', signersJson([]), /no key with the purpose audit/],
    [
      'no audit key',
      signersJson([new TestSigner('m', { purposes: ['manifest'] }).entry]),
      /no key with the purpose audit/,
    ],
  ])('refuses %s', (_, content, why) => {
    expect(() => read(content)).toThrow(why);
  });
});
