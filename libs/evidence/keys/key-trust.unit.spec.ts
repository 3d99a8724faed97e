import { EvidenceChain, TestSigner } from '#dev/testing';
import { type AuditEvent, canonicalEventBytes, KeyTrust } from '../index';

const ORIGIN = 'kernel.example.com/test';

const use = ({ signerKid: kid, shard, seq }: AuditEvent) => ({ kid, shard, seq });

describe('KeyTrust', () => {
  const k1 = new TestSigner('k1');
  const k2 = new TestSigner('k2');
  const k3 = new TestSigner('k3');
  const stranger = new TestSigner('stranger');

  it('without a trust root takes the keys of the founding, and no later one that nobody adds', () => {
    const chain = new EvidenceChain(k1).found();
    const forged = chain.addSigner(stranger, stranger);
    const trust = new KeyTrust(ORIGIN, null);
    trust.learn(chain.bytes);
    expect(trust.judge(use(chain.events[0] as AuditEvent))).toEqual({ valid: true });
    expect(trust.judge(use(forged))).toMatchObject({ valid: false, code: 'unknown_key' });
    expect(trust.key('k1')).toBeDefined();
    expect(trust.key('stranger')).toBeUndefined();
  });

  it('takes a founding only whole: an addition whose signature is wrong makes it none', () => {
    const chain = new EvidenceChain(k1).found([k1, k2]);
    const [founded, added, last] = chain.events as [AuditEvent, AuditEvent, AuditEvent];
    const forged = canonicalEventBytes({ ...last, signature: added.signature });
    const trust = new KeyTrust(ORIGIN, null);
    trust.learn([canonicalEventBytes(founded)]);
    expect(trust.judge(use(founded))).toMatchObject({ valid: false });
    trust.learn([canonicalEventBytes(added), forged]);
    expect(trust.key('k2')).toBeUndefined();
    trust.learn(chain.bytes);
    expect(trust.judge(use(founded))).toEqual({ valid: true });
    expect(trust.key('k2')).toBeDefined();
  });

  it('with a trust root does not take a chain that begins with another key', () => {
    const chain = new EvidenceChain(stranger).found();
    const first = chain.events[0] as AuditEvent;
    const trust = new KeyTrust(ORIGIN, [k1.entry]);
    trust.learn(chain.bytes);
    expect(trust.judge(use(first))).toMatchObject({ valid: false, code: 'unknown_key' });
  });

  it('follows additions and rotations by trusted keys, each from its position on', () => {
    const chain = new EvidenceChain(k1).found();
    const early = chain.append({ signer: k2 });
    chain.rotateSigner(k1, k2);
    const late = chain.append({ signer: k2 });
    chain.addSigner(k3, k2);
    const last = chain.append({ signer: k3 });
    const trust = new KeyTrust(ORIGIN, [k1.entry]);
    trust.learn(chain.bytes);
    expect([late, last].map((event) => trust.judge(use(event)))).toEqual([{ valid: true }, { valid: true }]);
    expect(trust.judge(use(early))).toMatchObject({ code: 'key_not_valid' });
  });

  it('gives no say to a key that has ended, nor to whom it adds', () => {
    const chain = new EvidenceChain(k1).found();
    chain.rotateSigner(k1, k2);
    chain.compromiseSigner(k1, k2);
    const added = chain.addSigner(k3, k1);
    const byThief = chain.append({ signer: k3 });
    const trust = new KeyTrust(ORIGIN, [k1.entry]);
    trust.learn(chain.bytes);
    expect(trust.judge(use(added))).toMatchObject({ code: 'key_not_valid' });
    expect(trust.judge(use(byThief))).toMatchObject({ code: 'unknown_key' });
  });

  it('gives no say to an event that is signed by another key than it says, or is altered', () => {
    const chain = new EvidenceChain(k1).found();
    const added = chain.addSigner(k2);
    const forged = { ...added, signature: (chain.events[0] as AuditEvent).signature };
    const trust = new KeyTrust(ORIGIN, [k1.entry]);
    trust.learn([...chain.bytes.slice(0, 2), canonicalEventBytes(forged), Buffer.from('{"not":"an event"}')]);
    expect(trust.key('k2')).toBeUndefined();
    trust.learn(chain.bytes);
    expect(trust.key('k2')).toBeDefined();
  });

  it('comes to the same whatever order the events come in', () => {
    const chain = new EvidenceChain(k1).found();
    chain.rotateSigner(k1, k2);
    chain.rotateSigner(k2, k3);
    chain.retireSigner(k1, k3);
    const forth = new KeyTrust(ORIGIN, null);
    forth.learn(chain.bytes);
    const back = new KeyTrust(ORIGIN, null);
    for (const bytes of chain.bytes.toReversed()) back.learn([bytes]);
    expect(back.registry).toEqual(forth.registry);
    expect([...forth.registry.keys.keys()]).toEqual(['k1', 'k2', 'k3']);
  });

  it('lets a key of the trust root take over by itself', () => {
    const chain = new EvidenceChain(k1).found();
    const takeover = chain.addSigner(k2, k2);
    const trust = new KeyTrust(ORIGIN, [k1.entry, k2.entry]);
    trust.learn(chain.bytes);
    expect(trust.judge(use(takeover))).toEqual({ valid: true });
  });

  it('believes whom it is told to vouch for, at once and as often as told, and keeps who founded', () => {
    const chain = new EvidenceChain(k1).found();
    const takeover = chain.emergencySigner(k1, k2, k2);
    const trust = new KeyTrust(ORIGIN, null);
    trust.learn(chain.bytes);
    expect(trust.judge(use(takeover))).toMatchObject({ valid: false });
    for (let told = 0; told < 2; told++) {
      trust.vouchFor([k2.entry]);
      expect(trust.judge(use(takeover))).toEqual({ valid: true });
      expect(trust.judge(use(chain.events[0] as AuditEvent))).toEqual({ valid: true });
    }
  });
});
