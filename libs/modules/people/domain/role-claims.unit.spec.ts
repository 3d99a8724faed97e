import { mapRoles, MAX_CLAIM_VALUES, roleClaimsOf, type RoleRule } from './role-claims';

const RULES: readonly RoleRule[] = [
  { claim: '/groups', value: 'admins', role: 'SuperAdmin' },
  { claim: '/groups', value: 'operators', role: 'Operator' },
  { claim: '/groups', value: 'ops', role: 'Operator' },
  { claim: '/groups', value: 'product-leads', role: 'DivisionLead', division: 'product' },
  { claim: '/groups', value: 'sales-leads', role: 'DivisionLead', division: 'sales' },
  { claim: '/realm_access/roles', value: 'lead', role: 'DivisionLead', divisionClaim: '/division' },
];

function rolesOf(claims: object, union = false) {
  return mapRoles(roleClaimsOf(claims as never, RULES), { rules: RULES, union });
}

describe('roles of claims', () => {
  it.each([
    ['a group', { groups: ['operators'] }, ['Operator'], null],
    ['a group as a text', { groups: 'operators' }, ['Operator'], null],
    ['two groups of one role', { groups: ['operators', 'ops', 'others'] }, ['Operator'], null],
    ['a lead of a division', { groups: ['product-leads'] }, ['DivisionLead'], 'product'],
    [
      'a division by a claim',
      { realm_access: { roles: ['lead'] }, division: 'retail' },
      ['DivisionLead'],
      'retail',
    ],
  ])('gives one for %s', (_, claims, roles, division) => {
    expect(rolesOf(claims)).toEqual({ roles, division, roleless: null });
  });

  it.each([
    ['no claim', {}],
    ['no group', { groups: [] }],
    ['a group that has none', { groups: ['others'] }],
    ['another case', { groups: ['Operators'] }],
    ['a part of the value', { groups: ['operators ', 'operator'] }],
    ['a text that contains it', { groups: 'operators,admins' }],
    ['values that are no texts', { groups: [['operators'], { 0: 'operators' }, null, 1] }],
    ['an object of that name', { groups: { operators: true } }],
    ['an inherited member', { realm_access: 'x' }],
  ])('gives none for %s, and says why', (_, claims) => {
    expect(rolesOf(claims)).toEqual({
      roles: [],
      division: null,
      roleless: expect.stringContaining('None of the groups') as string,
    });
  });

  it('refuses a person with several roles, unless roles are united', () => {
    const claims = { groups: ['operators', 'admins'] };
    expect(rolesOf(claims)).toEqual({ refused: expect.stringContaining('SuperAdmin, Operator') as string });
    expect(rolesOf(claims, true)).toEqual({
      roles: ['SuperAdmin', 'Operator'],
      division: null,
      roleless: null,
    });
  });

  it.each([false, true])('never gives two divisions (united: %p)', (union) => {
    expect(rolesOf({ groups: ['product-leads', 'sales-leads'] }, union)).toHaveProperty('refused');
    const both = { groups: ['product-leads'], realm_access: { roles: ['lead'] }, division: 'sales' };
    expect(rolesOf(both, union)).toHaveProperty('refused');
  });

  it.each([
    ['missing', undefined],
    ['a list of two', ['a', 'b']],
    ['no name of a division', 'a b'],
    ['empty', ''],
    ['a number', 7],
  ])('refuses a lead whose division is %s', (_, division) => {
    expect(rolesOf({ realm_access: { roles: ['lead'] }, division })).toHaveProperty('refused');
  });

  it('looks at a bounded number of values, of bounded length', () => {
    const many = Array.from({ length: MAX_CLAIM_VALUES }, (__, n) => `group-${n}`);
    expect(rolesOf({ groups: [...many, 'operators'] })).toMatchObject({ roles: [] });
    expect(roleClaimsOf({ groups: ['x'.repeat(257)] }, RULES)['/groups']).toEqual([]);
  });

  it('keeps of the claims what the rules look at alone', () => {
    const claims = { groups: ['operators'], email: 'a@b', realm_access: { roles: [], secret: 's' } };
    expect(roleClaimsOf(claims, RULES)).toEqual({
      '/division': [],
      '/groups': ['operators'],
      '/realm_access/roles': [],
    });
  });
});
