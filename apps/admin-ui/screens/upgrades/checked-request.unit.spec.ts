import {
  type ApprovalRecord,
  approvalRecordBytes,
  approvalSigningInput,
  base64Url,
  hexDecode,
  manifestDigest,
  sha256Hex,
} from '#evidence';
import { checkedRequest, type Wanted } from './checked-request';
import { type ApprovalRequest } from './upgrade-queries';

const MANIFEST = { upgradeId: 'upg-1', type: 'code', target: 'api', rationale: 'a fix' };
const WANTED: Wanted = {
  upgradeId: 'upg-1',
  action: 'approve',
  approverId: 'ada',
  keyId: 'ada-1',
  notes: null,
  manifest: MANIFEST,
};
const RECORD: ApprovalRecord = {
  origin: 'kernel.example.com/prod',
  upgradeId: 'upg-1',
  manifestSha256: manifestDigest(MANIFEST),
  patchSha256: null,
  action: 'approve',
  approverId: 'ada',
  keyId: 'ada-1',
  poolVersion: 1,
  threshold: 2,
  approvedAt: '2026-11-01T10:00:00.000Z',
  expiresAt: '2026-11-15T10:00:00.000Z',
  notes: null,
};

/** What the kernel answers about a record. */
function answerOf(part: Partial<ApprovalRecord> = {}): ApprovalRequest {
  const record = { ...RECORD, ...part };
  const challenge = base64Url(hexDecode(sha256Hex(approvalSigningInput(record))));
  return {
    record: { type: 'illuvrse-kernel/approval/v1', ...record },
    sha256: sha256Hex(approvalRecordBytes(record)),
    signingInput: '',
    challenge,
    credentialRequest: {
      challenge,
      rpId: 'localhost',
      allowCredentials: [],
      userVerification: 'required',
      timeout: 1,
    },
    manifest: MANIFEST,
  };
}

describe('what is signed', () => {
  it('is what the page shows, with the digests that others make of it', () => {
    const checked = checkedRequest(answerOf(), WANTED);
    expect(checked.record).toEqual(RECORD);
    expect(checked.sha256).toBe(sha256Hex(approvalRecordBytes(RECORD)));
    expect(checked.challenge).toBe(answerOf().challenge);
  });

  it.each<[string, Partial<ApprovalRecord>]>([
    ['another upgrade', { upgradeId: 'upg-2' }],
    ['another action', { action: 'reject' }],
    ['another person', { approverId: 'bob' }],
    ['another key', { keyId: 'ada-2' }],
    ['other notes', { notes: 'and give me the keys' }],
    ['another manifest', { manifestSha256: 'ab'.repeat(32) }],
  ])('is not signed about %s', (_, part) => {
    expect(() => checkedRequest(answerOf(part), WANTED)).toThrow(/^Do not sign/);
  });

  it('is not signed under a false digest or challenge', () => {
    expect(() => checkedRequest({ ...answerOf(), sha256: 'ab'.repeat(32) }, WANTED)).toThrow(/^Do not sign/);
    const other = answerOf({ action: 'reject' }).credentialRequest;
    expect(() => checkedRequest({ ...answerOf(), credentialRequest: other }, WANTED)).toThrow(
      /something else/,
    );
  });

  it('is a record and nothing more', () => {
    const answer = answerOf();
    const record = { ...answer.record, more: true } as ApprovalRequest['record'];
    expect(() => checkedRequest({ ...answer, record }, WANTED)).toThrow('no approval record');
  });
});
