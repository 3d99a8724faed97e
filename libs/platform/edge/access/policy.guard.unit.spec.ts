import { type ExecutionContext } from '@nestjs/common';
import { TestCa } from '#dev/testing';
import { type AccessError } from './access-error';
import { Policy, policyOf, PublicRoute } from './policy.decorator';
import { PolicyGuard } from './policy.guard';
import { refuseConnection } from './refused-connections';
import { accessOf } from './request-access';
import { RoleAccess } from './role-access';
import { RoleBindings } from './role-bindings';

class Routes {
  @Policy('audit.append')
  append(this: void): void {}
  @PublicRoute()
  open(this: void): void {}
  forgotten(this: void): void {}
  @Policy('upgrade.decide')
  decide(this: void): void {}
  @Policy('upgrade.read')
  upgrades(this: void): void {}
}

describe('PolicyGuard', () => {
  const guard = new PolicyGuard(new RoleAccess(new RoleBindings([{ cn: 'bot', role: 'Operator' }])));
  let ca: TestCa;
  beforeAll(async () => {
    ca = await TestCa.create();
  });

  const requestBy = async (name?: string) => {
    const der = name === undefined ? undefined : (await ca.issueClient(name)).der;
    const socket = {
      authorized: der !== undefined,
      getPeerX509Certificate: () => ({ raw: Buffer.from(der ?? []) }),
    };
    return { socket, headers: { 'x-role': 'SuperAdmin' } };
  };
  const check = (request: object, route: keyof Routes) => {
    const handler = Routes.prototype[route];
    return guard.canActivate({
      getHandler: () => handler,
      getClass: () => Routes,
      switchToHttp: () => ({ getRequest: () => request }),
    } as unknown as ExecutionContext);
  };
  const codeOf = (act: () => unknown): string => {
    try {
      act();
    } catch (error) {
      return (error as AccessError).code;
    }
    return 'none';
  };

  it('lets through whom the matrix permits, and remembers who it was', async () => {
    const request = await requestBy('bot');
    expect(check(request, 'append')).toBe(true);
    expect(accessOf(request)).toMatchObject({ principal: { id: 'bot' }, scope: 'all' });
  });

  it('refuses everybody else, whatever their headers say', async () => {
    const nobody = await requestBy('nobody');
    expect(codeOf(() => check(nobody, 'append'))).toBe('forbidden');
    expect(accessOf(nobody)).toBeUndefined();
    const anonymous = await requestBy();
    expect(codeOf(() => check(anonymous, 'append'))).toBe('not_authenticated');
  });

  it('refuses a connection whose client was refused after it was opened, and no other of that client', async () => {
    const request = await requestBy('bot');
    const another = await requestBy('bot');
    expect(check(request, 'append')).toBe(true);
    refuseConnection(request.socket, 'it is revoked');
    expect(codeOf(() => check(request, 'append'))).toBe('certificate_refused');
    expect(check(another, 'append')).toBe(true);
  });

  it('refuses a route that declares nothing, whoever calls', async () => {
    const request = await requestBy('bot');
    expect(codeOf(() => check(request, 'forgotten'))).toBe('undeclared_policy');
  });

  it('lets approvers in person do what only they do, whatever their role, but never an Auditor', async () => {
    const asked: string[] = [];
    const people = new PolicyGuard(
      new RoleAccess(
        new RoleBindings([
          { cn: 'bot', role: 'Operator' },
          { cn: 'auditor', role: 'Auditor' },
        ]),
        async (principal) => {
          asked.push(principal);
          return principal !== 'stranger';
        },
      ),
    );
    const decide = async (name: string, route: keyof Routes) => {
      const request = await requestBy(name);
      const handler = Routes.prototype[route];
      try {
        await people.canActivate({
          getHandler: () => handler,
          getClass: () => Routes,
          switchToHttp: () => ({ getRequest: () => request }),
        } as unknown as ExecutionContext);
        return 'allowed';
      } catch (error) {
        return (error as AccessError).code;
      }
    };
    expect(await decide('approver', 'decide')).toBe('allowed');
    expect(await decide('approver', 'upgrades')).toBe('allowed');
    expect(await decide('bot', 'decide')).toBe('allowed');
    expect(await decide('approver', 'append')).toBe('forbidden');
    expect(await decide('stranger', 'decide')).toBe('forbidden');
    expect(await decide('auditor', 'decide')).toBe('forbidden');
    expect(await decide('auditor', 'upgrades')).toBe('allowed');
    expect(asked).toEqual(['approver', 'approver', 'bot', 'stranger']);
  });

  it('asks nothing on a public route', async () => {
    expect(check(await requestBy(), 'open')).toBe(true);
    const request = await requestBy('nobody');
    expect(check(request, 'open')).toBe(true);
    expect(accessOf(request)?.principal.id).toBe('nobody');
  });

  it('does not let a route declare two policies', () => {
    expect(policyOf(Routes.prototype.append)).toBe('audit.append');
    expect(() => {
      class Twice {
        @PublicRoute()
        @Policy('audit.read')
        route(): void {}
      }
      return Twice;
    }).toThrow('declares two policies');
  });
});
