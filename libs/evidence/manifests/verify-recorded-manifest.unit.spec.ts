import { fakesOfManifest, LoggedKernel } from '#dev/testing';
import { verifyRecordedManifest } from './verify-recorded-manifest';

describe('a manifest signature as files', () => {
  const kernel = new LoggedKernel();
  const trust = kernel.trust();
  const manifest = JSON.stringify(kernel.manifest, null, 2);
  const record = (seq: number): { event: Uint8Array; receipt: string } => ({
    event: kernel.at(seq),
    receipt: kernel.log.receipt(seq, { size: 17 }),
  });

  it('is verified by itself when its key has not ended, and the verdict says what that leaves open', () => {
    const verdict = verifyRecordedManifest({
      manifest,
      envelope: JSON.stringify(kernel.later),
      record: null,
      trust,
    });
    expect(verdict).toMatchObject({ faults: [], recordedAt: null, statement: { manifestId: 'agent-7' } });
    expect(verdict.notChecked).toEqual([
      'whether and when the kernel has recorded this signature: no receipt was given',
    ]);
  });

  it('is verified with its record when its key has ended since', () => {
    const verdict = verifyRecordedManifest({
      manifest,
      envelope: JSON.stringify(kernel.envelope),
      record: record(9),
      trust,
    });
    expect(verdict.faults).toEqual([]);
    expect(verdict).toMatchObject({ recordedAt: { shard: 0, seq: 9 }, log: { kid: 'c2', size: 17 } });
  });

  it('is verified when others have signed beside the kernel, whose signatures are not judged', () => {
    const { signatures, ...rest } = kernel.later;
    const others = { ...rest, extra: true, signatures: [{ keyid: 'x', sig: 'AAAA' }, ...signatures] };
    const verdict = verifyRecordedManifest({
      manifest,
      envelope: JSON.stringify(others),
      record: record(17),
      trust,
    });
    expect(verdict.faults).toEqual([]);
  });

  it.each([
    ['the manifest', { manifest: '{"id":1,"id":2}' }, 'duplicate_member'],
    ['the envelope', { envelope: '[]' }, 'invalid_envelope'],
    ['the envelope', { envelope: 'no JSON' }, 'invalid_json'],
  ])('is refused when %s cannot be read', (_what, given, code) => {
    const { faults } = verifyRecordedManifest({
      manifest,
      envelope: JSON.stringify(kernel.later),
      record: null,
      trust,
      ...given,
    });
    expect(faults.join()).toMatch(new RegExp(`^${code}: `));
  });

  describe('is not verified when it is fake:', () => {
    const fakes = fakesOfManifest(kernel);

    it('in many ways', () => expect(fakes.length).toBeGreaterThanOrEqual(25));

    it.each(fakes.map((fake) => [fake.name, fake] as const))('%s', (_name, { cause, ...fake }) => {
      const codes = verifyRecordedManifest(fake).faults.map((fault) => fault.slice(0, fault.indexOf(':')));
      expect(codes).toContain(cause);
    });
  });
});
