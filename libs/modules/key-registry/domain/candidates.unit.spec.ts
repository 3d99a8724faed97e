import { type KeyRegistryState, type SignerPurpose } from '#evidence';
import { TestSigner } from '#dev/testing';
import { FoldedRegistry } from '../fixtures/registry-events.fixture';
import { keyToMake } from './candidates';
import { type BackendKey } from './registration';

const registered = (...keys: [string, SignerPurpose[]][]): KeyRegistryState => {
  const registry = new FoldedRegistry(() => '2026-01-01T00:00:00.000Z');
  for (const [kid, purposes] of keys) {
    const signer = { ...new TestSigner(kid, { purposes }).entry };
    registry.take('signer.added', `signer/${kid}`, { signer });
  }
  return registry.state;
};
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
