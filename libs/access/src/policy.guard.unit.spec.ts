import { type ExecutionContext } from '@nestjs/common';
import { TestCa } from '#libs/testing';
import { type AccessError } from './access-error';
import { Policy, policyOf, PublicRoute } from './policy.decorator';
import { PolicyGuard } from './policy.guard';
import { accessOf } from './request-access';
import { RoleBindings } from './role-bindings';

class Routes {
  @Policy('audit.append')
  append(this: void): void {}
  @PublicRoute()
  open(this: void): void {}
  forgotten(this: void): void {}
}

describe('PolicyGuard', () => {
  const guard = new PolicyGuard(new RoleBindings([{ cn: 'bot', role: 'Operator' }]));
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
  const check = (request: object, route: keyof Routes): boolean => {
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

  it('refuses a route that declares nothing, whoever calls', async () => {
    const request = await requestBy('bot');
    expect(codeOf(() => check(request, 'forgotten'))).toBe('undeclared_policy');
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
