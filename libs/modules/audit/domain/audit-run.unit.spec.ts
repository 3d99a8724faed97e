import {
  AUDIT_REPORT,
  type AuditReportSeal,
  documentEnvelope,
  documentPayload,
  documentSigningInput,
  type TrustedSigner,
} from '#evidence';
import { TestSigner } from '#dev/testing';
import { type AuditRunRow, exactText, judgeRun } from './audit-run';

const origin = 'kernel.test/runs';
const checkpoint = new TestSigner('checkpoint-1', { purposes: ['checkpoint'] });
const SEAL: AuditReportSeal = {
  origin,
  id: '0b1f5b1e-6f0a-4c3e-9a55-3c7d5f3f8a10',
  startedAt: '2026-02-01T02:00:00.000Z',
  verdict: 'clean',
  events: 24,
  findings: 0,
  report: { sha256: 'ef'.repeat(32), size: 700 },
  signedAt: '2026-02-01T02:00:07.000Z',
};

function sealedBy(signer: TestSigner, change: Partial<AuditReportSeal> = {}, keyid = signer.kid): Uint8Array {
  const payload = documentPayload(AUDIT_REPORT, { ...SEAL, ...change });
  const sig = signer.sign(documentSigningInput(AUDIT_REPORT, payload));
  return documentEnvelope(AUDIT_REPORT, payload, keyid, sig);
}

const ROW: AuditRunRow = {
  n: 7,
  id: SEAL.id,
  recordedAt: '2026-02-01T02:00:08.000Z',
  startedAt: SEAL.startedAt,
  outcome: 'clean',
  events: 24,
  findings: 0,
  message: null,
  reportSha256: SEAL.report.sha256,
  reportSize: SEAL.report.size,
  seal: sealedBy(checkpoint),
};

const judged = (change: Partial<AuditRunRow> = {}, signers: readonly TrustedSigner[] = [checkpoint.entry]) =>
  judgeRun({ ...ROW, ...change }, { signers, origin });

it('says what a valid seal says', () => {
  expect(judged()).toEqual({
    id: SEAL.id,
    recordedAt: ROW.recordedAt,
    startedAt: SEAL.startedAt,
    outcome: 'clean',
    verdict: 'clean',
    seal: 'valid',
    signedAt: SEAL.signedAt,
    events: 24,
    findings: 0,
    report: SEAL.report,
    detail: null,
  });
  const found = { verdict: 'findings', findings: 3 } as const;
  expect(judged({ outcome: 'findings', findings: 3, seal: sealedBy(checkpoint, found) })).toMatchObject({
    verdict: 'findings',
    seal: 'valid',
  });
});

it('takes the seal for a report that is too large for a row', () => {
  const message = 'The report has 5000000 bytes, too many for the database: read it in the archive.';
  expect(judged({ reportSha256: null, reportSize: null, message })).toMatchObject({
    verdict: 'clean',
    seal: 'valid',
    report: null,
    detail: message,
  });
});

it.each<[string, Partial<AuditRunRow>]>([
  ['was not sealed', { message: 'Not sealed: the proxy is away' }],
  ['failed', { outcome: 'failed', events: null, findings: null, reportSha256: null, reportSize: null }],
])('proves nothing of a run that %s', (_, change) => {
  expect(judged({ ...change, seal: null })).toMatchObject({
    verdict: null,
    seal: 'none',
    signedAt: null,
    detail: change.message ?? null,
  });
});

/** What whoever has the workers' role of the database could present. */
const thief = new TestSigner('thief', { purposes: ['checkpoint'] });
const auditKey = new TestSigner('audit-1', { purposes: ['audit'] });
it.each<[string, Partial<AuditRunRow>, RegExp]>([
  ['a seal by a key of theirs', { seal: sealedBy(thief) }, /unknown_key: thief/],
  [
    'a key of theirs under a name of the kernel',
    { seal: sealedBy(thief, {}, checkpoint.kid) },
    /signature: /,
  ],
  ['a key of another purpose', { seal: sealedBy(thief, {}, auditKey.kid) }, /not a checkpoint key/],
  ['the seal of another kernel', { seal: sealedBy(checkpoint, { origin: 'kernel.test/other' }) }, /origin: /],
  [
    'a genuine seal beside another report',
    { reportSha256: 'ab'.repeat(32) },
    /which the one in the row does not/,
  ],
  ['a genuine seal beside a longer report', { reportSize: 701 }, /which the one in the row does not/],
  ['a genuine seal in a row of another name', { id: SEAL.id.replace(/^0/, '1') }, /that of the audit 0b1f/],
  ['a genuine seal made to look recent', { startedAt: '2026-03-01T02:00:00.000Z' }, /of 2026-02-01/],
  [
    'the seal of an audit with findings, said to be clean',
    { seal: sealedBy(checkpoint, { verdict: 'findings', findings: 3 }) },
    /the row says something else/,
  ],
  ['more events than were verified', { events: 25 }, /the row says something else/],
  ['no envelope at all', { seal: Buffer.from('{"clean":true}') }, /proves nothing/],
  ['no text at all', { seal: Buffer.from([0xff, 0xfe]) }, /proves nothing/],
])('is not taken in by %s', (_, change, why) => {
  const run = judged(change, [checkpoint.entry, auditKey.entry]);
  expect(run).toMatchObject({ verdict: null, seal: 'invalid', signedAt: null });
  expect(run.detail).toMatch(why);
});

it.each<[string, Partial<TrustedSigner>]>([
  ['retired', { status: 'retired', retiredAt: '2026-02-02T00:00:00.000Z' }],
  ['compromised', { status: 'compromised', compromisedAt: '2026-01-01T00:00:00.000Z' }],
  ['replaced', { span: { after: [{ shard: 0, seq: 0 }], until: [{ shard: 0, seq: 9 }], since: null } }],
])('proves nothing any more by a key that was %s since', (_, end) => {
  const ended = [{ ...checkpoint.entry, ...end }];
  expect(judged({}, ended)).toMatchObject({
    verdict: null,
    seal: 'key_ended',
    detail: expect.stringContaining('key_not_valid: ') as unknown,
  });
  // Only where the signature is right, and over this.
  expect(judged({ seal: sealedBy(thief, {}, checkpoint.kid) }, ended).seal).toBe('invalid');
  expect(judged({ reportSha256: 'ab'.repeat(32) }, ended).seal).toBe('invalid');
});

it('writes characters of a forged row that hide as their codes, and not without end', () => {
  const { detail } = judged({ seal: null, message: `all is well\u001b[2K${'x'.repeat(3_000)}` });
  expect(detail).not.toContain('\u001b');
  expect(detail).toHaveLength(2_000);
});

it('gives bytes as the text that they are, or not at all', () => {
  expect(exactText(null)).toBeNull();
  expect(exactText(Buffer.from('{"a":"ü"}'))).toBe('{"a":"ü"}');
  expect(exactText(Buffer.from('\ufeff{}'))).toBe('\ufeff{}');
  expect(exactText(Buffer.from([0x7b, 0xff, 0x7d]))).toBeNull();
});
