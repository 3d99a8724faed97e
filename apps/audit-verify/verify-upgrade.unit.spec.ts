import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { UsageError } from './usage.error';
import { verifyUpgradeFile } from './verify-upgrade';

const VECTORS = join(workTree(), 'docs', 'spec', 'vectors');
const { origin, signers, cases } = JSON.parse(
  readFileSync(join(VECTORS, 'upgrade-evidence.json'), 'utf8'),
) as {
  origin: string;
  signers: string;
  cases: { name: string; file: string; verified: boolean; faults: string[]; log?: { root: string } | null }[];
};
const TRUST = ['--signers', join(VECTORS, signers), '--origin', origin];

describe('--upgrade', () => {
  it.each(cases)('$name', ({ file, verified, faults, log }) => {
    const report = verifyUpgradeFile(['--upgrade', join(VECTORS, file), ...TRUST]);
    expect(report.verified).toBe(verified);
    if (!verified) {
      expect([...new Set(report.lines.map((line) => line.split(':')[0]))].sort()).toEqual(faults);
      return;
    }
    expect(report.lines[0]).toMatch(/^Upgrade upg-42 verified: \w+/);
    expect(report.lines[1]).toContain(log ? `root ${log.root}` : 'no proofs of inclusion');
    expect(report.lines[2]).toMatch(/^Last event 0:\d+:[0-9a-f]{64}/);
  });

  it('reports in JSON', () => {
    const [first] = cases;
    const report = verifyUpgradeFile(['--upgrade', join(VECTORS, first?.file ?? ''), ...TRUST, '--json']);
    expect(JSON.parse(report.lines[0] ?? '')).toMatchObject({
      verified: true,
      upgradeId: 'upg-42',
      status: 'applied',
      approvers: ['approver-1', 'approver-2', 'approver-3'],
      required: 3,
      log: { name: `${origin}/log/0` },
      faults: [],
    });
  });

  it('is used with a file and a trust root', () => {
    expect(() => verifyUpgradeFile(['--upgrade', 'x'])).toThrow(UsageError);
    expect(() => verifyUpgradeFile(['--upgrade', '/nowhere', ...TRUST])).toThrow('/nowhere');
    expect(() => verifyUpgradeFile(['--upgrade', 'x', '--unknown', ...TRUST])).toThrow(UsageError);
  });

  it('prints nothing that moves the cursor', () => {
    const folder = mkdtempSync(join(tmpdir(), 'verify-upgrade-'));
    try {
      const file = join(folder, 'evil.json');
      writeFileSync(
        file,
        JSON.stringify({
          ...JSON.parse(readFileSync(join(VECTORS, cases[0]?.file ?? ''), 'utf8')),
          origin: 'x\u001b[2J\ny',
        }),
      );
      const { lines } = verifyUpgradeFile(['--upgrade', file, ...TRUST]);
      expect(lines.join('')).toContain('\\u001b[2J\\u000ay');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
