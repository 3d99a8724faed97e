import { EVIDENCE_FAKES, fakesBy } from './suite';
import { KernelWithEvidence } from './kernel-with-evidence';
import { THIEVES } from './fake';

/** Thieves of private keys and of the database, against those who judge by evidence alone. */
describe.each(Object.keys(THIEVES).filter((thief) => fakesBy(EVIDENCE_FAKES, thief).length > 0))(
  'a thief of %s',
  (thief) => {
    const fakes = fakesBy(EVIDENCE_FAKES, thief);

    it.each(fakes.map((fake) => [fake.name, fake.says, fake] as const))(
      'has nothing accepted: %s (%s)',
      async (_name, says, fake) => {
        expect(await fake.present()).toContain(says);
      },
    );
  },
);

/** Without these the refusals above would show nothing. */
describe('the genuine evidence is accepted', () => {
  const kernel = new KernelWithEvidence();
  const release = { id: 'release-7', version: '1' };

  it('the chain, with and without a head that was noted', () => {
    expect(kernel.chainFaults(kernel.chain.bytes)).toEqual([]);
    expect(kernel.chainFaults(kernel.chain.bytes, { expectHeads: kernel.chain.heads() })).toEqual([]);
  });

  it('manifests: by the key in force, and by ended ones where a receipt shows them in time', () => {
    const { manifest, stolenManifest, retiredManifest } = kernel;
    expect(kernel.manifestFaults(release, kernel.envelope(manifest, release))).toEqual([]);
    expect(kernel.manifestFaults(release, kernel.envelope(manifest, release), 20)).toEqual([]);
    expect(kernel.manifestFaults(release, kernel.envelope(stolenManifest, release), 9)).toEqual([]);
    expect(kernel.manifestFaults(release, kernel.envelope(retiredManifest, release), 2)).toEqual([]);
  });

  it('the published checkpoint, what it grew from, and the receipt of each event', async () => {
    const published = await kernel.published();
    expect(kernel.noteFaults(published)).toEqual([]);
    expect(await kernel.consistencyFaults(20, kernel.chain.bytes, kernel.chain.bytes)).toEqual([]);
    for (const [index, event] of kernel.chain.bytes.entries()) {
      expect(kernel.receiptFaults(await kernel.receipt(index, published), event)).toEqual([]);
    }
  });
});

/** What no rule can prevent, and who notices it all the same (docs/security.md). */
describe('what a thief of keys can still do', () => {
  const kernel = new KernelWithEvidence();
  const fork = (length: number, count: number) => {
    const [chain] = kernel.chain.fork();
    chain?.cut(length);
    for (let i = 0; i < count; i++) chain?.append({ type: 'thing.lied' });
    return chain?.bytes ?? [];
  };

  it('an audit key: another end of the chain, for those who have noted nothing of the genuine one', () => {
    expect(kernel.chainFaults(fork(20, 10))).toEqual([]);
    const noted = (seq: number) => ({
      expectHeads: [{ shard: 0, seq, hash: kernel.chain.events[seq - 1]?.hash ?? '' }],
    });
    expect(kernel.chainFaults(fork(20, 10), noted(20))).toEqual([]);
    expect(kernel.chainFaults(fork(20, 10), noted(21))).toEqual(['truncation']);
  });

  it('a manifest key: manifests, until the trust root says that it ended; no receipt goes with them', async () => {
    const lie = { id: 'release-7', image: 'sha256:of-the-thief' };
    expect(kernel.manifestFaults(lie, kernel.envelope(kernel.manifest, lie))).toEqual([]);
    const event = fork(20, 4)[21] ?? new Uint8Array();
    const receipt = await kernel.receipt(21, await kernel.published());
    expect(kernel.receiptFaults(receipt, event)).toEqual(['inclusion']);
  });

  it('audit and checkpoint key: another log, for those who ask for no witness', async () => {
    const own = fork(12, 12);
    const note = await kernel.note(own);
    // The missing cosignatures are all that is wrong with it.
    expect(kernel.receiptFaults(await kernel.receipt(15, note, own), own[15] ?? new Uint8Array())).toEqual([
      'quorum',
    ]);
    expect(kernel.noteFaults(note)).toEqual(['quorum']);
    expect(await kernel.consistencyFaults(20, own, own)).toEqual(['inconsistent']);
  });
});
