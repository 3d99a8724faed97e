import { NOTHING_TYPED, readProposal, type Typed } from './proposal';

const FINE: Typed = { upgradeId: 'upg-1', type: 'code', target: 'api', rationale: 'a fix', more: '' };
const read = (part: Partial<Typed>) => readProposal({ ...FINE, ...part });

describe('a proposal', () => {
  it('is the manifest that the form makes', () => {
    expect(read({ more: '{"patchSha256":null,"preconditions":["smoke"],"note":1}' })).toEqual({
      manifest: {
        upgradeId: 'upg-1',
        type: 'code',
        target: 'api',
        rationale: 'a fix',
        patchSha256: null,
        preconditions: ['smoke'],
        note: 1,
      },
      problems: {},
    });
  });

  it('says of every field what is wrong with it', () => {
    expect(Object.keys(readProposal(NOTHING_TYPED).problems).sort()).toEqual([
      'rationale',
      'target',
      'upgradeId',
    ]);
  });

  it.each<[string, Partial<Typed>, keyof Typed]>([
    ['an id with a space', { upgradeId: 'a b' }, 'upgradeId'],
    ['a type in capitals', { type: 'Code' }, 'type'],
    ['a rationale that is too long', { rationale: 'x'.repeat(4_001) }, 'rationale'],
    ['text that is no JSON', { more: '{' }, 'more'],
    ['a list', { more: '[]' }, 'more'],
    ['a member that is there twice', { more: '{"a":1,"a":2}' }, 'more'],
    ['a member that has a field', { more: '{"rationale":"x"}' }, 'more'],
    ['a digest in capitals', { more: `{"patchSha256":"${'AB'.repeat(32)}"}` }, 'more'],
    ['checks of the same name', { more: '{"preconditions":["a","a"]}' }, 'more'],
    ['a flag that is a text', { more: '{"autoApply":"yes"}' }, 'more'],
    [
      'a pool without members',
      { type: 'approver_pool', more: '{"pool":{"threshold":1,"approvers":[]}}' },
      'more',
    ],
    ['no pool', { type: 'approver_pool' }, 'more'],
    ['a policy with half an hour', { type: 'policy', more: '{"policy":{"approvalTtlHours":0.5}}' }, 'more'],
    ['a rollback of nothing', { type: 'rollback' }, 'more'],
    ['a rotation from nothing', { type: 'signer_rotation' }, 'more'],
  ])('is refused with %s', (_, part, field) => {
    expect(Object.keys(read(part).problems)).toContain(field);
  });

  it('takes a target that is an object, and types of the organisation without one', () => {
    expect(read({ target: '', more: '{"target":{"service":"api"}}' }).problems).toEqual({});
    expect(read({ type: 'policy_activation', target: '' }).problems).toEqual({});
  });

  it('takes a policy of whole hours', () => {
    const policy = { approvalTtlHours: 24, proposalTtlHours: 48, ratificationHours: 12 };
    expect(read({ type: 'policy', target: '', more: JSON.stringify({ policy }) }).problems).toEqual({});
  });
});
