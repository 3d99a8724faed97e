import { fakesOfUpgradeThief, UpgradedKernel } from '#dev/testing';
import { verifyUpgradeEvidence, type UpgradeEvidence } from './index';

/** Whoever has an audit key makes no evidence of an upgrade, not even for who does not know of the theft. */
describe('a thief of one audit key, before anyone knows', () => {
  const { kernel, trusts, fakes } = fakesOfUpgradeThief();
  const verify = (file: UpgradeEvidence, trust = kernel.trust(), options = {}) =>
    verifyUpgradeEvidence(JSON.stringify(file), trust, options);

  it('has many ideas', () => {
    expect(fakes.length).toBeGreaterThanOrEqual(75);
    expect(new Set(fakes.map(({ name }) => name)).size).toBe(fakes.length);
  });

  it.each(trusts)('robs a kernel whose evidence holds: $name', ({ trust }) => {
    expect(verify(kernel.evidence(), trust)).toMatchObject({
      faults: [],
      notChecked: [],
      status: 'applied',
      approvers: ['approver-1', 'approver-2', 'approver-3'],
      authorized: true,
      log: { signedBy: 'c1', cosigned: [{ name: 'w1.example.org' }, { name: 'w2.example.org' }] },
    });
  });

  describe.each(trusts)('against $name', ({ trust }) => {
    it.each(fakes)('$name', ({ file, says, always }) => {
      const { faults } = verify(file, trust);
      expect(faults).toContainEqual(expect.stringMatching(says));
      // Without proofs the log cannot tell: such a file is called what it is, not anchored.
      const unproven = verify(file, trust, { withoutProofs: true });
      expect(unproven.faults.length > 0).toBe(always);
      expect(unproven.log).toBeNull();
    });
  });

  it('vouches for events by a key that was lost after the checkpoint', () => {
    const file = kernel.evidence();
    const later = kernel.fork();
    later.chain.emergencySigner(kernel.k1, kernel.k2);
    later.chain.compromiseSigner(kernel.k1, kernel.k2, {});
    const trust = later.trust();
    expect(verify(file, trust).faults).toEqual([]);
    // The same events in a checkpoint of afterwards are in doubt, and stay so.
    const { faults } = verify(later.evidence(), trust);
    expect(faults).toContainEqual(expect.stringMatching(/^key_not_valid: .*k1 is in doubt/));
    expect(verify({ ...file, proofs: [] }, trust, { withoutProofs: true }).faults).not.toEqual([]);
  });

  it('is found out by an end that a newer trust root knows and the file leaves out', () => {
    const later = new UpgradedKernel().upgrade();
    later.chain.retireSigner(later.k2, later.k1);
    const file = later.evidence();
    expect(verify(file, later.trust()).faults).toEqual([]);
    const last = file.signers.at(-1) ?? '';
    file.signers = file.signers.filter((line) => line !== last);
    file.proofs.pop();
    expect(verify(file, later.trust()).faults).toEqual([
      expect.stringMatching(/^signers: signer events are left out: k2: /),
    ]);
  });
});
