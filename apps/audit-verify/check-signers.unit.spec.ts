import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signersJson } from '#evidence';
import { UpgradedKernel } from '#dev/testing';
import { asksForSigners, describeSigners } from './check-signers';

describe('--signers alone', () => {
  let dir: string;
  let file: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'check-signers-'));
    file = join(dir, 'signers.json');
    const { origin, signers, shards, firstPool } = new UpgradedKernel().trust();
    writeFileSync(
      file,
      signersJson([...signers], origin, { shards: shards ?? 1, approverPool: firstPool ?? null }),
    );
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('says what is in the file, and that no chain was checked', () => {
    expect(asksForSigners(['--signers', file], {})).toBe(true);
    const lines = describeSigners(['--signers', file]);
    expect(lines[0]).toMatch(/signers\.json is a trust root of \S+: [2-9] keys$/);
    expect(
      lines.slice(1, -1).every((line) => /^ {2}\S+: (audit|manifest|checkpoint).*, since 2/.test(line)),
    ).toBe(true);
    expect(lines.at(-1)).toMatch(/^No chain was checked: /);
  });

  it('is not asked for where there is something to verify', () => {
    expect(asksForSigners(['--signers', file, '--dir', 'x'], {})).toBe(false);
    expect(asksForSigners(['--signers', file], { DATABASE_URL: 'postgres://x' })).toBe(false);
    expect(asksForSigners(['--chain-only'], {})).toBe(false);
  });

  it('says how to fill a file that has no keys, as it is in the sources', () => {
    writeFileSync(join(dir, 'empty.json'), '{\n  "signers": []\n}\n');
    expect(() => describeSigners(['--signers', join(dir, 'empty.json'), '--origin', 'a.example/b'])).toThrow(
      /has no keys yet: fill it with \.\/kernel keys signers > FILE/,
    );
  });
});
