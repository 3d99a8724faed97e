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
  cases: {
    name: string;
    file: string;
    signers?: string;
    withoutProofs?: boolean;
    verified: boolean;
    faults: string[];
    log?: { root: string; cosigned: { name: string }[] } | null;
  }[];
};
const TRUST = ['--signers', join(VECTORS, signers), '--origin', origin];

/** The report about the first case of that name. */
function reportOn(name: string, ...more: string[]): { verified: boolean; lines: string[] } {
  const one = cases.find((candidate) => candidate.name === name);
  if (one === undefined) throw new Error(`There is no case "${name}".`);
  const trust = one.signers === undefined ? TRUST : ['--signers', join(VECTORS, one.signers)];
  const options = one.withoutProofs === true ? ['--without-proofs'] : [];
  return verifyUpgradeFile(['--upgrade', join(VECTORS, one.file), ...trust, ...options, ...more]);
}

describe('--upgrade', () => {
  it.each(cases)('$name', ({ name, verified, faults, log }) => {
    const report = reportOn(name);
    expect(report.verified).toBe(verified);
    if (!verified) {
      expect([...new Set(report.lines.map((line) => line.split(':')[0]))].sort()).toEqual(faults);
      return;
    }
    const lines = report.lines.filter((line) => !line.startsWith('not checked: '));
    if (log) {
      expect(lines[0]).toMatch(/^Upgrade upg-42 verified: \w+/);
      expect(lines[1]).toContain(`root ${log.root}, signed by vector-checkpoint-1`);
      expect(report.lines.some((line) => line.includes('cosignatures'))).toBe(log.cosigned.length === 0);
    } else {
      expect(lines[0]).toMatch(/^Upgrade upg-42 verified, not anchored: \w+/);
      expect(report.lines[0]).toContain('has no proofs of inclusion');
    }
    expect(lines.at(-1)).toMatch(/^Last event 0:\d+:[0-9a-f]{64}/);
  });

  it.each([
    [
      'applied by three of five, one of them with a passkey',
      'applied (3 of 3: approver-1, approver-2, approver-3)',
    ],
    ['a quorum that is not decided yet', 'proposed (not decided)'],
    ['applied in an emergency, not ratified', 'emergency applied, unratified'],
    [
      'applied in an emergency in the name of an approver who counts, and ratified',
      'ratified (3 of 3: approver-1, approver-2, approver-3) after an emergency application',
    ],
    ['rejected by three of five', 'rejected (by approver-1, approver-2, approver-3)'],
  ])('says what was decided and no more: %s', (name, outcome) => {
    expect(reportOn(name).lines).toContain(`Upgrade upg-42 verified: ${outcome}.`);
  });

  it('says whether its deployment is authorised', () => {
    const line = 'A manifest key of the kernel has authorised its deployment.';
    expect(reportOn('with the authorisation to deploy it').lines).toContain(line);
    expect(reportOn('applied by three of five, one of them with a passkey').lines).not.toContain(line);
  });

  it('takes what the trust root lacks from options', () => {
    const name = 'a trust root that does not name the first pool';
    const { approverPool } = JSON.parse(readFileSync(join(VECTORS, signers), 'utf8')) as {
      approverPool: { sha256: string };
    };
    const pool = ['--first-pool', approverPool.sha256];
    expect(reportOn(name).lines).toEqual([expect.stringMatching(/^anchor: the pool is not anchored: /)]);
    expect(reportOn(name, ...pool).lines[0]).toContain('not checked: the number of shards');
    const report = reportOn(name, ...pool, '--shards', '2');
    expect(report).toMatchObject({ verified: true });
    expect(report.lines.join('\n')).not.toContain('number of shards');
    expect(reportOn(name, '--first-pool', 'a'.repeat(64)).verified).toBe(false);
  });

  it('asks for the cosignatures of a policy', () => {
    const folder = mkdtempSync(join(tmpdir(), 'verify-upgrade-'));
    try {
      const policy = join(folder, 'policy');
      const trusted = JSON.parse(
        readFileSync(join(VECTORS, 'upgrade-evidence', 'signers-witnessed.json'), 'utf8'),
      ) as { log: { witnesses: string[] } };
      writeFileSync(policy, `witness w1 ${trusted.log.witnesses[0]}\nquorum w1\n`);
      const cosigned = reportOn('cosigned as the trust root asks', '--policy', policy);
      expect(cosigned.lines.join('\n')).toContain('cosigned by w1');
      const alone = reportOn('applied by three of five, one of them with a passkey', '--policy', policy);
      expect(alone.lines).toEqual([expect.stringMatching(/^inclusion: .*cosign/)]);
      writeFileSync(policy, 'quorum w1\n');
      expect(() => reportOn('cosigned as the trust root asks', '--policy', policy)).toThrow(UsageError);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('reports in JSON', () => {
    const [first] = cases;
    const report = verifyUpgradeFile(['--upgrade', join(VECTORS, first?.file ?? ''), ...TRUST, '--json']);
    expect(JSON.parse(report.lines[0] ?? '')).toMatchObject({
      verified: true,
      anchored: true,
      upgradeId: 'upg-42',
      status: 'applied',
      approvers: ['approver-1', 'approver-2', 'approver-3'],
      required: 3,
      log: { name: `${origin}/log/0` },
      faults: [],
    });
  });

  it('writes the JSON to a report as well', () => {
    const folder = mkdtempSync(join(tmpdir(), 'verify-upgrade-'));
    try {
      const [{ name } = { name: '' }] = cases;
      const path = join(folder, 'report.json');
      const { lines } = reportOn(name, '--report', path);
      expect(readFileSync(path, 'utf8')).toBe(`${reportOn(name, '--json').lines.join('\n')}\n`);
      expect(lines.join('\n')).toContain('Upgrade upg-42 verified');
      expect(() => reportOn(name, '--report', join(folder, 'r.html'))).toThrow(/ends with .json/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
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
