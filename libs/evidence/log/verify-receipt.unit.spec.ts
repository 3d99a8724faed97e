import { fakesOfReceipt, LoggedKernel } from '#dev/testing';
import { parseLogPolicy } from './log-policy';
import { verifyReceipt } from './verify-receipt';

describe('one event with its receipt', () => {
  const kernel = new LoggedKernel();
  const trust = kernel.trust();
  const { log, otherLog, c1 } = kernel;

  it.each([
    ['the founding', 1, 22],
    ['an event by a founding key', 8, 22],
    ['an event under a checkpoint of its own size', 20, 20],
    ['the newest event', 22, 22],
    ['an event in doubt, under a checkpoint from before its key was known to be lost', 16, 17],
    ['the event that ends its own key', 18, 18],
  ])('is verified: %s', (_name, seq, size) => {
    const {
      faults,
      event,
      log: place,
    } = verifyReceipt({
      event: kernel.at(seq),
      receipt: log.receipt(seq, { size }),
      trust,
    });
    expect(faults).toEqual([]);
    expect(event).toEqual(kernel.chain.events[seq - 1]);
    expect(place).toMatchObject({ name: log.name, index: seq - 1, size, kid: 'c2' });
    expect(place?.cosigned.map(({ name }) => name)).toEqual(['w1.example.org', 'w2.example.org']);
  });

  it('is verified in another shard, and with a line feed behind the event', () => {
    const event = Buffer.concat([kernel.at(6, 1), Buffer.from('\n')]);
    expect(verifyReceipt({ event, receipt: otherLog.receipt(6), trust }).faults).toEqual([]);
  });

  it('is verified under a checkpoint that a key signed before it was retired', () => {
    const receipt = log.receipt(8, { size: 10, signers: [c1] });
    expect(verifyReceipt({ event: kernel.at(8), receipt, trust })).toMatchObject({
      faults: [],
      log: { kid: 'c1', size: 10 },
    });
  });

  it('says what was checked and what was not', () => {
    const { checked, notChecked } = verifyReceipt({ event: kernel.at(20), receipt: log.receipt(20), trust });
    expect(checked).toEqual([
      'the event is canonical, its hash is that of its content, and k2 signed it',
      'the checkpoint of kernel.example.com/logged/log/0 at size 22 is signed by c2',
      'it is cosigned as asked, by w1.example.org, w2.example.org',
      'the event is in the log kernel.example.com/logged/log/0 at index 19 of 22',
      'k2 signs at 0:20 by its span in signers.json',
    ]);
    expect(notChecked).toEqual([
      'the events around it: whether the chain is whole is seen in the chain alone',
      'ends of keys that this signers.json does not know yet',
    ]);
  });

  it('says that nobody was asked to cosign', () => {
    const { log: _, ...unwitnessed } = trust;
    const bare = { event: kernel.at(20), receipt: log.receipt(20, { witnesses: [] }) };
    const { faults, notChecked } = verifyReceipt({ ...bare, trust: unwitnessed });
    expect(faults).toEqual([]);
    expect(notChecked).toContain(
      'cosignatures of witnesses: neither signers.json (log) nor a policy asks for any',
    );
    const policy = parseLogPolicy('quorum none\n');
    expect(verifyReceipt({ ...bare, trust, policy }).notChecked).toContain(
      'cosignatures of witnesses: the policy does not ask for any',
    );
  });

  it('is judged by the policy in place of what the trust root asks for', () => {
    const [, , third] = kernel.witnesses;
    if (third === undefined) throw new Error('there is no third witness');
    const receipt = log.receipt(20, { witnesses: [third] });
    const policy = parseLogPolicy(`witness third ${third.vkey}\nquorum third\n`);
    const { faults, log: place } = verifyReceipt({ event: kernel.at(20), receipt, trust, policy });
    expect(faults).toEqual([]);
    expect(place?.cosigned.map(({ name }) => name)).toEqual(['third']);
  });

  it('is not verified when the key of its checkpoint is lost under a second name', () => {
    const again = { ...kernel.c2.entry, signer_kid: 'c2-again', status: 'compromised' as const };
    const { faults } = verifyReceipt({
      event: kernel.at(20),
      receipt: log.receipt(20),
      trust: { ...trust, signers: [...trust.signers, again] },
    });
    expect(faults).toEqual(['key_not_valid: c2-again is compromised']);
  });

  it('is not verified by a trust root without spans', () => {
    const signers = trust.signers.map(({ span: _, ...one }) => ({ ...one, status: 'active' as const }));
    const { faults } = verifyReceipt({
      event: kernel.at(20),
      receipt: log.receipt(20),
      trust: { ...trust, signers },
    });
    expect(faults).toEqual([expect.stringMatching(/^key_not_valid: where k2 signs is not known/)]);
  });

  describe('is not verified when it is fake:', () => {
    const fakes = fakesOfReceipt(kernel);

    it('in many ways', () => {
      expect(fakes.length).toBeGreaterThanOrEqual(70);
      expect(new Set(fakes.map(({ name }) => name)).size).toBe(fakes.length);
    });

    it.each(fakes.map((fake) => [fake.name, fake] as const))('%s', (_name, { cause, policy, ...fake }) => {
      const given = policy === undefined ? {} : { policy: parseLogPolicy(policy) };
      const codes = verifyReceipt({ ...fake, ...given }).faults.map((fault) =>
        fault.slice(0, fault.indexOf(':')),
      );
      expect(codes).toContain(cause);
    });
  });
});
