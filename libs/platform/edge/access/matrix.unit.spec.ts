import {
  type Action,
  APPROVER_ACTIONS,
  authorize,
  MATRIX,
  permittedActions,
  scopedDivision,
  withinScope,
} from './matrix';
import { actorOf, type Principal, type Role } from './principal';
import { roleBindings, RoleBindings } from './role-bindings';

/**
 * The specification's table of roles, copied here by hand: a slip in MATRIX must not pass because the test repeats it.
 */
const EXPECTED = `
                          SuperAdmin  DivisionLead  Operator  Auditor  none
audit.read                yes         own           yes       yes      no
audit.export              yes         own           yes       yes      no
log.entries               yes         no            yes       yes      no
pipeline.read             yes         no            yes       yes      no
audit-run.read            yes         no            yes       yes      no
keys.read                 yes         own           yes       yes      no
audit.append              yes         no            yes       no       no
manifest.sign             yes         own           yes       no       no
manifest.verify           yes         yes           yes       yes      no
division.read             yes         own           yes       yes      no
division.write            yes         own           yes       no       no
agent.read                yes         own           yes       yes      no
agent.write               yes         own           yes       no       no
eval.write                yes         own           yes       no       no
allocation.write          yes         own           yes       no       no
upgrade.read              yes         yes           yes       yes      no
upgrade.propose           yes         yes           yes       no       no
upgrade.report-check      yes         no            yes       no       no
upgrade.decide            no          no            no        no       no
approver.revoke-key       yes         no            no        no       no
approver.register-credential yes      no            no        no       no
notification.read         yes         no            yes       yes      no
notification.manage       yes         no            no        no       no
upgrade.apply             yes         no            yes       no       no
upgrade.emergency-apply   yes         no            no        no       no
webhook.read              yes         no            yes       yes      no
webhook.manage            yes         no            no        no       no
keys.manage               yes         no            no        no       no
mode.manage               yes         no            no        no       no
retention.read            yes         no            yes       yes      no
retention.manage          yes         no            no        no       no
session.manage            yes         yes           yes       yes      no
`;
const [head = [], ...rows] = EXPECTED.trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));
const cases = rows.flatMap(([action = '', ...cells]) =>
  cells.map((cell, i) => [action, head[i] ?? '', cell] as const),
);

function principal(roles: Role[], division?: string): Principal {
  return { id: 'x', kind: 'service', roles, ...(division !== undefined && { division }) };
}

describe('the matrix', () => {
  it('has exactly the actions of the table', () => {
    expect(Object.keys(MATRIX).sort()).toEqual(rows.map(([action]) => action).sort());
  });

  it.each(cases)('%s by %s: %s', (action, role, expected) => {
    const roles = role === 'none' ? [] : [role as Role];
    const caller = principal(roles, role === 'DivisionLead' ? 'product' : undefined);
    const decision = authorize(caller, action as Action);
    const seen = !decision.allowed ? 'no' : decision.scope === 'all' ? 'yes' : 'own';
    expect(seen).toBe(expected);
    if (decision.allowed && decision.scope !== 'all') expect(decision.scope).toEqual({ division: 'product' });
  });

  it.each(['SuperAdmin', 'DivisionLead', 'Operator', 'Auditor', 'none'])(
    'tells %s everything that is decided so, and nothing else',
    (role) => {
      const roles = role === 'none' ? [] : [role as Role];
      const caller = principal(roles, role === 'DivisionLead' ? 'product' : undefined);
      const expected = cases
        .filter(([, of, cell]) => of === role && cell !== 'no')
        .map(([action, , cell]) => [action, cell === 'own' ? 'own-division' : 'all']);
      expect(permittedActions(caller, false)).toEqual(Object.fromEntries(expected));
    },
  );

  it('tells an approver what they do in person, and an Auditor never', () => {
    const inPerson = Object.fromEntries([...APPROVER_ACTIONS].map((action) => [action, 'all']));
    expect(permittedActions(principal([]), true)).toEqual(inPerson);
    expect(permittedActions(principal(['Operator']), true)).toMatchObject(inPerson);
    expect(permittedActions(principal(['Auditor']), true)).toEqual(
      permittedActions(principal(['Auditor']), false),
    );
  });

  it('takes the widest of several roles', () => {
    expect(authorize(principal(['Auditor', 'DivisionLead'], 'product'), 'audit.read')).toEqual({
      allowed: true,
      scope: 'all',
    });
    expect(authorize(principal(['Auditor', 'DivisionLead'], 'product'), 'manifest.sign')).toEqual({
      allowed: true,
      scope: { division: 'product' },
    });
  });

  it('refuses a DivisionLead of no division, and says why it refuses', () => {
    expect(authorize(principal(['DivisionLead']), 'audit.read')).toEqual({
      allowed: false,
      reason: '"x" leads no division, and audit.read needs one',
    });
    expect(authorize(principal([]), 'audit.read')).toEqual({
      allowed: false,
      reason: '"x" has no role, which does not permit audit.read',
    });
  });

  it('cannot be changed while the process runs', () => {
    expect(() => Object.assign(MATRIX, { 'keys.manage': MATRIX['audit.read'] })).toThrow(TypeError);
    expect(() => Object.assign(MATRIX['keys.manage'], { Auditor: 'allow' })).toThrow(TypeError);
  });
});

describe('scopes', () => {
  it('keep to one division', () => {
    const own = { division: 'product' };
    expect([withinScope('all', null), withinScope('all', 'finance')]).toEqual([true, true]);
    expect([withinScope(own, 'product'), withinScope(own, 'finance'), withinScope(own, null)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([withinScope(own, undefined), withinScope(own, 'Product')]).toEqual([false, false]);
    expect([scopedDivision('all'), scopedDivision(own)]).toEqual([{}, own]);
  });
});

describe('role bindings', () => {
  it('are read from configuration, and nothing else passes', () => {
    expect(roleBindings.safeParse([{ cn: 'a', role: 'Operator' }]).success).toBe(true);
    expect(roleBindings.safeParse([{ spiffe: 'spiffe://p/a', role: 'Auditor' }]).success).toBe(true);
    for (const wrong of [
      {},
      [{ cn: 'a' }],
      [{ cn: '', role: 'Operator' }],
      [{ cn: 'a', role: 'operator' }],
      [{ cn: 'a', role: 'Operator', admin: true }],
      [{ cn: 'a', spiffe: 'spiffe://p/a', role: 'Operator' }],
      [{ spiffe: 'https://p/a', role: 'Operator' }],
      [{ cn: 'a', role: 'DivisionLead', division: '../x' }],
    ]) {
      expect([wrong, roleBindings.safeParse(wrong).success]).toEqual([wrong, false]);
    }
  });

  it('contradict themselves at the start, not at the first request', () => {
    const twice = [
      { cn: 'a', role: 'Operator' as const },
      { cn: 'a', role: 'Auditor' as const },
    ];
    expect(() => new RoleBindings(twice)).toThrow('"a" is bound twice');
    expect(() => new RoleBindings([{ cn: 'a', role: 'DivisionLead' }])).toThrow('must name a division');
    expect(() => new RoleBindings([{ cn: 'a', role: 'Operator', division: 'x' }])).toThrow(
      'must name a division',
    );
  });
});

it('an actor is a principal without what only access needs', () => {
  expect(actorOf({ ...principal(['Operator']), commonName: 'x' })).toEqual({
    id: 'x',
    kind: 'service',
    roles: ['Operator'],
  });
});
