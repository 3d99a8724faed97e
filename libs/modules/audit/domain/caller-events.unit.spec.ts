import { isReservedStream, isReservedType } from './reserved-names';

describe('names that only the kernel uses', () => {
  it.each([
    'manifest.signed',
    'manifest.signed.v2',
    'signer.added',
    'approver_pool.changed',
    'mode.entered',
    'session.opened',
    'upgrade.dreamed_of',
    'agent.spawned',
    'agent.spawned.v2',
    'division.updated',
    'policy.changed',
    'policy.confirmed.v2',
  ])('the type %s is reserved', (type) => expect(isReservedType(type)).toBe(true));
  it.each([
    'manifests.signed',
    'door.opened',
    'agent.pinged',
    'agent.spawned-again',
    'division.met',
    'policy.decision',
  ])('the type %s is free', (type) => expect(isReservedType(type)).toBe(false));

  it.each([
    'upgrade/1',
    'kernel/x',
    'session/refused',
    'manifest/m',
    'agent/a',
    'allocation/product',
    'division/product',
    'eval/a',
    'policy/kernel',
  ])('the stream %s is reserved', (stream) => expect(isReservedStream(stream)).toBe(true));
  it.each(['signers/1', 'upgrades/1', 'divisions/product', 'agents/a', 'caller/agent/a'])(
    'the stream %s is free',
    (stream) => expect(isReservedStream(stream)).toBe(false),
  );
});
