import { evolveKeys, type KeyRegistryState, NO_KEYS, type SignerPurpose } from '#evidence';
import { TestSigner } from '#dev/testing';
import { keyToMake } from './candidates';
import { type BackendKey } from './registration';

/** The registry of a kernel of one shard, before its first key. */
const ONE_SHARD: KeyRegistryState = { ...NO_KEYS, shards: 1 };

const registered = (...keys: [string, SignerPurpose[]][]) =>
  keys.reduce((state, [kid, purposes], n) => {
    const { entry } = new TestSigner(kid, { purposes });
    const prevHash = n.toString(16).padStart(64, '0');
    return evolveKeys(state, {
      type: 'signer.added',
      stream: `signer/${kid}`,
      shard: 0,
      seq: n + 1,
      ts: entry.deployedAt,
      payload: { signer: { ...entry }, heads: [{ shard: 0, seq: n, hash: prevHash }] },
      signerKid: kid,
      prevHash,
    });
  }, ONE_SHARD);
const offered = (...kids: string[]): BackendKey[] =>
  kids.map((kid) => ({ kid, keyVersion: '1', publicKeyPem: '', purposes: ['audit'], backend: 'software' }));

describe('the key to make', () => {
  it('is the next of the series, past all that anybody knows, for all that the one in force is for', () => {
    const state = registered(['kernel-v9', ['audit', 'manifest']], ['kernel-v10', ['audit', 'manifest']]);
    expect(keyToMake(state, [], 'audit', null)).toEqual({
      kid: 'kernel-v11',
      purposes: ['audit', 'manifest'],
    });
    expect(keyToMake(state, offered('kernel-v14', 'kernel-vX', 'other-v99'), 'audit', null).kid).toBe(
      'kernel-v15',
    );
  });

  it('begins a series where there is none', () => {
    expect(keyToMake(registered(['audit-key', ['audit']]), [], 'audit', null).kid).toBe('audit-key-v2');
    expect(keyToMake(registered(['a1', ['audit']]), [], 'checkpoint', null)).toEqual({
      kid: 'kernel-checkpoint-ed25519-v1',
      purposes: ['checkpoint'],
    });
  });

  it('has the name that is wanted, unless the registry has it', () => {
    const state = registered(['a1', ['audit']]);
    expect(keyToMake(state, [], 'audit', 'reserve').kid).toBe('reserve');
    expect(() => keyToMake(state, [], 'audit', 'a1')).toThrow(
      expect.objectContaining({ code: 'signer_exists' }),
    );
  });
});
