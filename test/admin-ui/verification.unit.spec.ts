import { signersJson, type TrustRoot } from '#evidence';
import { EvidenceChain, fakesOfReceipt, LoggedKernel, TestSigner } from '#dev/testing';
import {
  type EventVerdict,
  type GivenEvent,
  judgeEvent,
  type StepName,
  UnreadableTrust,
} from '../../apps/admin-ui/screens/audit/verification/judge-event';

const textOf = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

function fileOf({ signers, origin, shards, firstPool, log }: TrustRoot): string {
  return signersJson(signers, origin, {
    ...(shards !== undefined && { shards }),
    ...(firstPool !== undefined && { approverPool: firstPool }),
    ...(log !== undefined && { log }),
  });
}

/** `name: verdict` of every step. */
const said = ({ steps }: EventVerdict) =>
  Object.fromEntries(steps.map(({ name, verdict }) => [name, verdict]));
const reason = ({ steps }: EventVerdict, asked: StepName) =>
  steps.find(({ name }) => name === asked)?.reason ?? '';

const RIGHT = {
  content: 'right',
  link: 'right',
  group: 'right',
  signature: 'right',
  key: 'right',
  receipt: 'right',
  cosignatures: 'right',
};

describe('an event that a page judges', () => {
  const kernel = new LoggedKernel();
  const { log, chain } = kernel;
  const genuine = (seq: number, size = 22): GivenEvent => ({
    event: textOf(kernel.at(seq)),
    before: seq === 1 ? { missing: 'none' } : { text: textOf(kernel.at(seq - 1)) },
    receipt: log.receipt(seq, { size }),
    signers: fileOf(kernel.trust()),
    policy: null,
    kernel: { origin: chain.origin, shards: 2 },
  });

  it.each([
    ['the first', 1, 22],
    ['one by a founding key', 8, 22],
    ['one in doubt, under a checkpoint from before its key was known to be lost', 16, 17],
    ['the newest', 22, 22],
  ])('is right in every step: %s', (_, seq, size) => {
    const verdict = judgeEvent(genuine(seq, size));
    expect(said(verdict)).toEqual(RIGHT);
    expect(verdict.faults).toEqual([]);
  });

  it('says by what it was judged', () => {
    const { trust, notChecked } = judgeEvent(genuine(20));
    expect(trust).toMatchObject({ origin: chain.origin, keys: 7 });
    expect(trust.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(notChecked).toHaveLength(2);
  });

  it('takes from the kernel what the file lacks, and says so', () => {
    const { signers } = kernel.trust();
    const verdict = judgeEvent({ ...genuine(20), signers: signersJson(signers) });
    expect(said(verdict)).toEqual({ ...RIGHT, cosignatures: 'unknown' });
    expect(verdict.notChecked.slice(0, 2)).toEqual([
      expect.stringContaining('the name of the kernel'),
      expect.stringContaining('the number of shards'),
    ]);
  });

  describe('against every forged receipt', () => {
    // Who does not know how many shards there are is told so by the kernel, here.
    const fakes = fakesOfReceipt(kernel).filter(({ trust }) => trust.shards !== undefined);

    it.each(fakes.map((fake) => [fake.name, fake] as const))('%s', (_, fake) => {
      const given: GivenEvent = {
        ...genuine(20),
        event: textOf(fake.event),
        receipt: fake.receipt,
        signers: fileOf(fake.trust),
        policy: fake.policy ?? null,
      };
      let verdict: EventVerdict;
      try {
        verdict = judgeEvent(given);
      } catch (error) {
        expect(error).toBeInstanceOf(UnreadableTrust);
        return;
      }
      expect(verdict.faults).not.toEqual([]);
      expect(Object.values(said(verdict))).toContain('wrong');
    });
  });

  it('may be without a receipt, and then has no verdict of the whole', () => {
    const verdict = judgeEvent({ ...genuine(20), receipt: null });
    expect(said(verdict)).toEqual({ ...RIGHT, receipt: 'unknown', cosignatures: 'unknown' });
    expect(verdict.faults).toBeNull();
  });

  it('is not linked to another event than the one before it', () => {
    const linked = (seq: number) => judgeEvent({ ...genuine(20), before: { text: textOf(kernel.at(seq)) } });
    expect(said(linked(18))).toMatchObject({ link: 'wrong', content: 'right' });
    expect(reason(linked(18), 'link')).toContain('gave 0:18');
    const forged = judgeEvent({
      ...genuine(20),
      before: { text: textOf(kernel.at(19)).replace('"seq":19', '"seq":18') },
    });
    expect(reason(forged, 'link')).toContain('not sound');
    const unknown = judgeEvent({ ...genuine(20), before: { missing: 'Not yours to see.' } });
    expect(said(unknown)).toMatchObject({ link: 'unknown' });
    expect(reason(unknown, 'link')).toBe('Not yours to see.');
  });

  it('is shown by no cosignature of the log of another kernel', () => {
    const origin = 'kernel.example.com/other';
    const verdict = judgeEvent({ ...genuine(20), signers: fileOf({ ...kernel.trust(), origin }) });
    expect(said(verdict)).toMatchObject({ signature: 'wrong', receipt: 'wrong', cosignatures: 'unknown' });
  });

  it('is judged by the policy of the person', () => {
    const [, , third] = kernel.witnesses;
    const policy = `witness third ${third?.vkey}\nquorum third\n`;
    const refused = judgeEvent({ ...genuine(20), policy });
    expect(said(refused)).toMatchObject({ receipt: 'right', cosignatures: 'wrong' });
    const nobody = judgeEvent({ ...genuine(20), policy: 'quorum none\n' });
    expect(said(nobody)).toMatchObject({ receipt: 'right', cosignatures: 'unknown' });
  });

  it.each([
    ['no JSON', 'nonsense', null, 'cannot be read as signers.json'],
    ['a file without keys', '{"signers":[]}', null, 'has no keys'],
    ['no policy', null, 'nonsense\n', 'cannot be read as the log policy'],
  ])('needs files that can be read: %s', (_, signers, policy, sentence) => {
    const given = { ...genuine(20), policy, ...(signers !== null && { signers }) };
    expect(() => judgeEvent(given)).toThrow(UnreadableTrust);
    expect(() => judgeEvent(given)).toThrow(sentence);
  });
});

describe('an event that was signed with others', () => {
  const signer = new TestSigner('k1');
  const chain = new EvidenceChain(signer, 'kernel.example.com/grouped', 0, { shards: 1 }).found([signer]);
  chain.appendTogether([{}, {}, {}, {}, {}]);
  const events = chain.events.slice(-5);
  const judge = (n: number, before = n - 1) =>
    judgeEvent({
      event: textOf(chain.bytes[chain.bytes.length - 5 + n] as Uint8Array),
      before: { text: textOf(chain.bytes[chain.bytes.length - 5 + before] as Uint8Array) },
      receipt: null,
      signers: signersJson(
        [{ ...signer.entry, span: { after: [{ shard: 0, seq: 0 }], until: null, since: null } }],
        chain.origin,
        { shards: 1 },
      ),
      policy: null,
      kernel: { origin: chain.origin, shards: 1 },
    });

  it.each([0, 1, 2, 3, 4])('leads to the root that was signed: number %i', (n) => {
    const verdict = judge(n);
    expect(said(verdict)).toMatchObject({ group: 'right', signature: 'right', link: 'right' });
    const { first = 0, count = 0 } = events[n]?.group ?? {};
    expect(reason(verdict, 'group')).toContain(`${count} events at 0:${first} to 0:${first + count - 1}`);
  });
});
