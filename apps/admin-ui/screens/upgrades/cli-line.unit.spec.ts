import { comparingLine, signingLine } from './cli-line';

const RECORD = {
  origin: 'kernel.example.com/prod',
  upgradeId: 'upg 1',
  manifestSha256: '',
  patchSha256: null,
  action: 'reject' as const,
  approverId: 'ada',
  keyId: 'ada-1',
  poolVersion: 1,
  threshold: 2,
  approvedAt: '2026-11-01T10:00:00.000Z',
  expiresAt: '2026-11-15T10:00:00.000Z',
  notes: 'not now',
};

it('names what is signed, and with which key', () => {
  const start = "./kernel upgrade reject 'upg 1' --approver ada --key-id ada-1 --notes 'not now'";
  expect(signingLine(RECORD, 'file')).toBe(`${start} --signing-key KEY.pem`);
  expect(signingLine({ ...RECORD, notes: null }, 'token')).toContain('--key-id ada-1 --pkcs11-module');
  expect(comparingLine(RECORD)).toBe(`${start} --approved-at 2026-11-01T10:00:00.000Z --dry-run`);
});
