import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AUDIT_REPORT,
  documentEnvelope,
  documentPayload,
  documentSigningInput,
  sha256Hex,
  signersJson,
} from '#evidence';
import { TestSigner } from '#dev/testing';
import { asksForAuditReport, verifyAuditReport } from './verify-audit-report';

const origin = 'kernel.test/reports';
const checkpoint = new TestSigner('checkpoint-1', { purposes: ['checkpoint'] });
const REPORT = Buffer.from('{"type":"illuvrse-kernel/audit-report-body/v1"}');
const ID = '0b1f5b1e-6f0a-4c3e-9a55-3c7d5f3f8a10';

describe('--audit-report', () => {
  const dir = mkdtempSync(join(tmpdir(), 'audit-verify-report-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function file(name: string, content: string | Uint8Array): string {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  }

  function sealBy(signer: TestSigner): Uint8Array {
    const payload = documentPayload(AUDIT_REPORT, {
      origin,
      id: ID,
      startedAt: '2026-02-01T02:00:00.000Z',
      verdict: 'findings',
      events: 24,
      findings: 3,
      report: { sha256: sha256Hex(REPORT), size: REPORT.length },
      signedAt: '2026-02-01T02:00:07.000Z',
    });
    const sig = signer.sign(documentSigningInput(AUDIT_REPORT, payload));
    return documentEnvelope(AUDIT_REPORT, payload, checkpoint.kid, sig);
  }

  const signers = file(
    'signers.json',
    signersJson([checkpoint.entry], origin, { approverPool: null, shards: 1 }),
  );
  const seal = file('seal.json', sealBy(checkpoint));
  const report = file('report.json', REPORT);
  const asked = (options: Record<string, string>): string[] =>
    Object.entries({ signers, seal, 'audit-report': report, ...options }).flatMap(([name, value]) => [
      `--${name}`,
      value,
    ]);

  it('is asked for by its options', () => {
    expect(asksForAuditReport(asked({}))).toBe(true);
    expect(asksForAuditReport(['--seal=x'])).toBe(true);
    expect(asksForAuditReport(['--signers', signers, '--dir', 'x'])).toBe(false);
  });

  it('verifies a report by its seal, and says what it came to', () => {
    expect(verifyAuditReport(asked({}))).toEqual({
      verified: true,
      lines: [
        `Audit report verified: ${ID}, begun 2026-02-01T02:00:00.000Z, sealed 2026-02-01T02:00:07.000Z: findings, 24 events, 3 findings, SHA-256 ${sha256Hex(REPORT)}.`,
      ],
    });
    const { lines } = verifyAuditReport([...asked({}), '--json']);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      verified: true,
      origin,
      seal: { id: ID },
      faults: [],
    });
  });

  it('refuses another report, another signer and another kernel', () => {
    const changed = file('changed.json', `${REPORT.toString()} `);
    expect(verifyAuditReport(asked({ 'audit-report': changed }))).toEqual({
      verified: false,
      lines: [
        expect.stringMatching(/^report: it has 48 bytes with the SHA-256 .*, the seal is over 47 with /),
      ],
    });
    const forged = file('forged.json', sealBy(new TestSigner('thief', { purposes: ['checkpoint'] })));
    expect(verifyAuditReport(asked({ seal: forged }))).toEqual({
      verified: false,
      lines: [expect.stringContaining('seal: signature: ')],
    });
    const elsewhere = file(
      'elsewhere.json',
      signersJson([checkpoint.entry], 'kernel.test/other', { approverPool: null, shards: 1 }),
    );
    expect(verifyAuditReport(asked({ signers: elsewhere }))).toEqual({
      verified: false,
      lines: [expect.stringContaining('seal: origin: ')],
    });
  });

  it.each([
    ['--seal', /--audit-report goes with --seal/],
    ['--audit-report', /--seal goes with --audit-report/],
    ['--signers', /--signers is missing/],
  ])('says that %s is missing', (name, says) => {
    const args = asked({});
    args.splice(args.indexOf(name), 2);
    expect(() => verifyAuditReport(args)).toThrow(says);
  });
});
