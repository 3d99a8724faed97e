// The vectors of day manifests and seals (docs/spec/archive.md).
import { createHash } from 'node:crypto';
import {
  AUDIT_1,
  CHECKPOINT,
  CHECKPOINT_RETIRED,
  FOREIGN,
  ORIGIN,
  evidence,
  lacking,
  spanOf,
} from './vector-kernel.mjs';

/** Day manifests of the archive and seals of audit reports: documents, signed bytes, envelopes to judge. */
export function documentVectors() {
  const point = (seq) => ({ seq, hash: createHash('sha256').update(`event ${seq}`).digest('hex') });
  const day = {
    origin: ORIGIN,
    shard: 0,
    day: '2026-01-31',
    count: 3,
    first: point(18),
    last: point(20),
    previous: { day: '2026-01-29', sha256: createHash('sha256').update('manifest').digest('hex') },
    signedAt: '2026-02-01T00:05:00.000Z',
  };
  const firstDay = { ...day, day: '2026-01-29', count: 17, first: point(1), last: point(17), previous: null };
  const seal = {
    origin: ORIGIN,
    id: '0198f4c2-1b2a-7000-8000-000000000001',
    startedAt: '2026-02-01T02:00:00.000Z',
    verdict: 'clean',
    events: 20,
    findings: 0,
    report: { sha256: createHash('sha256').update('report').digest('hex'), size: 6 },
    signedAt: '2026-02-01T02:00:07.000Z',
  };
  const { ARCHIVE_DAY, AUDIT_REPORT } = evidence;
  const made = (kind, format, document, key) => {
    const payload = evidence.documentPayload(format, document);
    const input = evidence.documentSigningInput(format, payload);
    const envelope = evidence.documentEnvelope(format, payload, CHECKPOINT.kid, CHECKPOINT.sign(input));
    return {
      kind,
      document,
      payload: Buffer.from(payload).toString(),
      pae: Buffer.from(input).toString(),
      envelope: Buffer.from(envelope).toString(),
      key,
    };
  };
  const documents = [
    made('archive-day', ARCHIVE_DAY, firstDay, evidence.archiveDayKey(firstDay)),
    made('archive-day', ARCHIVE_DAY, day, evidence.archiveDayKey(day)),
    made('audit-report', AUDIT_REPORT, seal, evidence.auditReportKeys(seal).seal),
  ];
  const retired = {
    ...CHECKPOINT_RETIRED.entry,
    status: 'retired',
    retiredAt: '2026-02-01T00:04:59.000Z',
    span: spanOf([1, 0], [19, 7]),
  };
  const signers = [CHECKPOINT.entry, retired, AUDIT_1.entry];
  const signed = (value, key = CHECKPOINT, keyid = key.kid, payloadType = ARCHIVE_DAY.payloadType) => {
    const payload = Buffer.from(typeof value === 'string' ? value : evidence.canonicalize(value));
    return evidence.canonicalize({
      payloadType,
      payload: payload.toString('base64'),
      signatures: [{ keyid, sig: key.sign(evidence.dssePae(payloadType, payload)) }],
    });
  };
  const value = { type: ARCHIVE_DAY.type, ...day };
  const compromised = {
    ...CHECKPOINT.entry,
    status: 'compromised',
    compromisedAt: '2026-03-01T00:00:00.000Z',
  };
  const earlier = { ...value, count: 2, last: point(19) };
  const right = signed(value);
  const cases = [
    ['valid', right],
    ['another origin', signed({ ...value, origin: 'kernel.example.com/other' })],
    ['signed by a key that is not known', signed(value, FOREIGN)],
    ['signed by a foreign key under a known name', signed(value, FOREIGN, CHECKPOINT.kid)],
    ['signed by an audit key', signed(value, AUDIT_1)],
    ['signed by a retired key, about events after its end', signed(value, CHECKPOINT_RETIRED)],
    [
      'signed by a retired key, about events after its end, with an earlier time',
      signed({ ...value, signedAt: '2026-01-31T23:00:00.000Z' }, CHECKPOINT_RETIRED),
    ],
    ['signed by a retired key, about events before its end', signed(earlier, CHECKPOINT_RETIRED)],
    [
      'signed by a retired key of which nobody says where it ended',
      signed(earlier, CHECKPOINT_RETIRED),
      [lacking(retired, 'span')],
    ],
    ['signed by a compromised key', right, [compromised]],
    [
      'signed by a compromised key, about events before its end',
      signed(earlier, CHECKPOINT_RETIRED),
      [{ ...retired, status: 'compromised', compromisedAt: retired.retiredAt }],
    ],
    [
      'signed by a key that knows no such shard',
      signed({ ...value, shard: 2 }),
      [{ ...CHECKPOINT.entry, span: spanOf([1, 0]) }],
    ],
    [
      'the seal of a report in place of a day',
      signed({ type: AUDIT_REPORT.type, ...seal }, CHECKPOINT, CHECKPOINT.kid, AUDIT_REPORT.payloadType),
    ],
    ['the payload of a report under the type of a day', signed({ type: AUDIT_REPORT.type, ...seal })],
    ['white space in the envelope', right.replace(':', ': ')],
    ['payload not canonical', signed(JSON.stringify(value, null, 1))],
    ['a member too many', signed({ ...value, note: 'x' })],
    ['a member missing', signed(lacking(value, 'previous'))],
    ['a count that is not that of the positions', signed({ ...value, count: 4 })],
    ['a first day that does not begin with position 1', signed({ ...value, previous: null })],
    ['position 1 on a day that is not the first', signed({ ...value, first: point(1), count: 20 })],
    ['a previous day that is later', signed({ ...value, previous: { ...day.previous, day: '2026-02-01' } })],
    ['a day that does not exist', signed({ ...value, day: '2026-02-30' })],
    [
      'one event with two hashes',
      signed({ ...value, count: 1, first: point(20), last: { ...point(19), seq: 20 } }),
    ],
    ['an upper-case hash', signed({ ...value, last: { seq: 20, hash: day.last.hash.toUpperCase() } })],
  ];
  return {
    'kernel-documents.json': {
      key: { kid: CHECKPOINT.kid, seed: CHECKPOINT.seed, publicKey: CHECKPOINT.publicKey },
      documents,
      origin: ORIGIN,
      signers,
      envelopes: cases.map(([name, envelope, keys]) => {
        const verdict = evidence.verifyDocument(ARCHIVE_DAY, {
          envelope: Buffer.from(envelope),
          keys: keys ?? signers,
          origin: ORIGIN,
        });
        return {
          name,
          ...(keys === undefined ? {} : { signers: keys }),
          envelope,
          valid: verdict.reasons.length === 0,
          reasons: verdict.reasons.map((reason) => reason.slice(0, reason.indexOf(':'))),
        };
      }),
    },
  };
}
