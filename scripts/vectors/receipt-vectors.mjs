// The vectors of events and signatures that are checked alone (docs/spec/verification.md, section 6): what a kernel in a test
// has published, and what others could try to pass off in its name.
import { bundle } from './vector-kernel.mjs';

export async function receiptVectors() {
  // One bundle has them and the evidence: the kernel of the tests is made of the same classes.
  const { evidence, LoggedKernel, fakesOfReceipt, fakesOfManifest } = await bundle(`
    export * as evidence from './libs/evidence/index.ts';
    export { LoggedKernel } from './libs/dev/testing/logged-kernel.ts';
    export { fakesOfManifest, fakesOfReceipt } from './libs/dev/testing/receipt-fakes.ts';`);
  const kernel = new LoggedKernel();
  const trust = kernel.trust();
  const signersOf = ({ signers, origin, shards, firstPool, log }) =>
    JSON.parse(evidence.signersJson(signers, origin, { shards, approverPool: firstPool, log }));
  const own = signersOf(trust);
  const signers = (other) =>
    other === trust || same(signersOf(other), own) ? {} : { signers: signersOf(other) };
  const verdict = (faults) =>
    faults.length === 0
      ? { verified: true }
      : { verified: false, faults: [...new Set(faults.map((fault) => fault.split(':')[0]))].sort() };
  const text = (record) =>
    record === null ? null : { event: Buffer.from(record.event).toString('base64'), receipt: record.receipt };

  const event = ({ name, policy, ...given }) => ({
    name,
    ...text(given),
    ...signers(given.trust),
    ...(policy === undefined ? {} : { policy }),
    ...verdict(
      evidence.verifyReceipt({
        ...given,
        ...(policy === undefined ? {} : { policy: evidence.parseLogPolicy(policy) }),
      }).faults,
    ),
  });
  const manifest = ({ name, ...given }) => ({
    name,
    manifest: given.manifest,
    envelope: given.envelope,
    record: text(given.record),
    ...signers(given.trust),
    ...verdict(evidence.verifyRecordedManifest(given).faults),
  });
  const at = (seq, size = 22) => ({
    event: kernel.at(seq),
    receipt: kernel.log.receipt(seq, { size }),
    trust,
  });
  const signed = (envelope, record) => ({
    manifest: JSON.stringify(kernel.manifest),
    envelope: JSON.stringify(envelope),
    record,
    trust,
  });
  const unwitnessed = { ...trust };
  delete unwitnessed.log;
  return {
    'receipts.json': {
      signers: own,
      events: [
        { name: 'the founding', ...at(1) },
        { name: 'an event under a checkpoint of its own size', ...at(20, 20) },
        { name: 'the newest event', ...at(22) },
        {
          name: 'an event in doubt, under a checkpoint from before its key was known to be lost',
          ...at(16, 17),
        },
        {
          name: 'an event under a checkpoint that a key signed before it was retired',
          ...at(8),
          receipt: kernel.log.receipt(8, { size: 10, signers: [kernel.c1] }),
        },
        {
          name: 'an event of another shard',
          event: kernel.at(6, 1),
          receipt: kernel.otherLog.receipt(6),
          trust,
        },
        {
          name: 'without cosignatures, which nobody asks for',
          ...at(20),
          receipt: kernel.log.receipt(20, { witnesses: [] }),
          trust: unwitnessed,
        },
        {
          name: 'with the cosignature that a policy asks for',
          ...at(20),
          receipt: kernel.log.receipt(20, { witnesses: [kernel.witnesses[2]] }),
          policy: `witness w3 ${kernel.witnesses[2].vkey}\nquorum w3\n`,
        },
        ...fakesOfReceipt(kernel),
      ].map(event),
      manifests: [
        { name: 'by a key that has not ended, alone', ...signed(kernel.later, null) },
        { name: 'by a key that has not ended, with its record', ...signed(kernel.later, at(17, 17)) },
        { name: 'by a retired key, with its record', ...signed(kernel.envelope, at(9)) },
        ...fakesOfManifest(kernel),
      ].map(manifest),
    },
  };
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
