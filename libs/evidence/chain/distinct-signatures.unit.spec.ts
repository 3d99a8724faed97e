import { EvidenceChain, TestSigner } from '#dev/testing';
import { importKey, verifyEd25519 } from '#evidence-crypto';
import { type AuditEvent } from './audit-event';
import { inputOfEvent } from './audit-signing-input';
import { distinctSignatures } from './distinct-signatures';

const signer = new TestSigner('audit-1');

function chain(): EvidenceChain {
  const made = new EvidenceChain(signer);
  made.found();
  return made;
}

const isRight = ({ input, signature }: { input: Uint8Array; signature: Uint8Array }): boolean =>
  verifyEd25519(importKey(signer.rawPublicKey), input, signature);

describe('distinctSignatures', () => {
  it('asks once for a group, and once for each event that is signed alone', () => {
    const made = chain();
    const alone = [made.append(), made.append()];
    const group = made.appendTogether(Array.from({ length: 50 }, () => ({})));
    const { checks, checkOf } = distinctSignatures(made.origin, [...group.toReversed(), ...alone]);
    expect(checks).toHaveLength(3);
    expect(checkOf).toEqual([...Array<number>(50).fill(0), 1, 2]);
    expect(checks.every(isRight)).toBe(true);
    expect(checks[0]?.input).toEqual(inputOfEvent(made.origin, group[7] as AuditEvent));
  });

  it.each([0, 24, 49])('does not let event %i stand on the signature of a group that it is not in', (at) => {
    const made = chain();
    const group = made.appendTogether(Array.from({ length: 50 }, () => ({})));
    const forged = group.map((event, n) => (n === at ? { ...event, hash: 'ab'.repeat(32) } : event));
    const { checks, checkOf } = distinctSignatures(made.origin, forged);
    const verdicts = checks.map(isRight);
    // The first of a group decides which root is expected; each of the others is judged by its own.
    expect(forged.map((_, n) => verdicts[checkOf[n] ?? -1])).toEqual(forged.map((_, n) => n !== at));
  });

  it('takes a path with another hash for another root', () => {
    const made = chain();
    const [first, second, third] = made.appendTogether([{}, {}, {}]) as [AuditEvent, AuditEvent, AuditEvent];
    const path = [second.group.path[0] ?? '', `${'A'.repeat(43)}=`];
    const changed = { ...second, group: { ...second.group, path } };
    const { checks, checkOf } = distinctSignatures(made.origin, [first, changed, third]);
    expect(checkOf).toEqual([0, 1, 0]);
    expect(checks.map(isRight)).toEqual([true, false]);
  });
});
