import { TestSigner } from '#dev/testing';
import { type KeySpan } from '../keys/key-span';
import { type TrustedSigner } from '../keys/signers';
import { ARCHIVE_DAY, type ArchiveDay } from './archive-day';
import { AUDIT_REPORT, type AuditReportSeal } from './audit-report';
import {
  type DocumentFormat,
  documentEnvelope,
  documentPayload,
  type KernelDocument,
} from './kernel-document';
import { documentSigningInput, verifyDocument } from './kernel-document';

const origin = 'kernel.example.com/documents';
const signer = new TestSigner('c1', { seed: Buffer.alloc(32, 7), purposes: ['checkpoint'] });
const day: ArchiveDay = {
  origin,
  shard: 0,
  day: '2026-01-31',
  count: 8,
  first: { seq: 1, hash: 'ab'.repeat(32) },
  last: { seq: 8, hash: 'cd'.repeat(32) },
  previous: null,
  signedAt: '2026-02-01T00:05:00.000Z',
};
const seal: AuditReportSeal = {
  origin,
  id: '0198f4c2-1b2a-7000-8000-000000000001',
  startedAt: '2026-02-01T02:00:00.000Z',
  verdict: 'clean',
  events: 24,
  findings: 0,
  report: { sha256: 'ef'.repeat(32), size: 700 },
  signedAt: '2026-02-01T02:00:07.000Z',
};

function reasons<T extends KernelDocument>(
  format: DocumentFormat<T>,
  document: T,
  ...keys: TrustedSigner[]
): string[] {
  const payload = documentPayload(format, document);
  const sig = signer.sign(documentSigningInput(format, payload));
  const envelope = documentEnvelope(format, payload, signer.kid, sig);
  return verifyDocument(format, { envelope, keys, origin }).reasons;
}

const endingAt = (seq: number): KeySpan => ({
  after: [{ shard: 0, seq: 0 }],
  until: [{ shard: 0, seq }],
  since: null,
});
const { entry } = signer;

/** The rule is that of checkpoints of the log (keys/checkpoint-key.ts). */
describe('a document of a kernel', () => {
  it('is signed by a key that has not ended before what it speaks of', () => {
    expect(reasons(ARCHIVE_DAY, day, entry)).toEqual([]);
    expect(reasons(ARCHIVE_DAY, day, { ...entry, status: 'retired', span: endingAt(8) })).toEqual([]);
    expect(reasons(AUDIT_REPORT, seal, entry)).toEqual([]);
  });

  it.each<[string, string, TrustedSigner[]]>([
    ['is retired, and nothing says where', 'signers.json has no span', [{ ...entry, status: 'retired' }]],
    ['ended before', 'ended at 0:7, before 0:8', [{ ...entry, status: 'retired', span: endingAt(7) }]],
    ['ended before, and is said to be active', 'ended at 0:7', [{ ...entry, span: endingAt(7) }]],
    ['is compromised', 'c1 is compromised', [{ ...entry, status: 'compromised', span: endingAt(9) }]],
    [
      'is compromised under another name',
      'again is compromised',
      [entry, { ...entry, signer_kid: 'again', status: 'compromised' }],
    ],
  ])('is refused when its key %s', (_what, message, keys) => {
    expect(reasons(ARCHIVE_DAY, day, ...keys)).toEqual([expect.stringContaining(message)]);
    expect(reasons(ARCHIVE_DAY, day, ...keys)[0]).toMatch(/^key_not_valid: /);
  });

  it('is refused when it tells no position and its key has ended', () => {
    for (const ended of [
      { ...entry, status: 'retired' as const },
      { ...entry, span: endingAt(99) },
    ]) {
      expect(reasons(AUDIT_REPORT, seal, ended)).toEqual([
        'key_not_valid: c1 has ended, and nothing shows that it signed this before',
      ]);
    }
  });
});
