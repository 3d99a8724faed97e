import { attachContext, RequestContext } from '../request-context';
import { type AccessError } from './access-error';
import { FRESH_SIGN_IN_S, PersonAccess } from './person-access';
import { type Principal } from './principal';
import { RoleAccess } from './role-access';
import { RoleBindings } from './role-bindings';

const ORIGIN = 'https://kernel.example.com';

describe('PersonAccess', () => {
  let authenticatedAt: number | undefined;
  const superAdmin = (): Principal => ({
    id: 'https://idp#1',
    kind: 'human',
    roles: ['SuperAdmin'],
    ...(authenticatedAt !== undefined && { authenticatedAt }),
  });
  const people = {
    bearsToken: () => false,
    personOf: () => Promise.resolve(superAdmin()),
  };
  const access = new PersonAccess(new RoleAccess(new RoleBindings([])), people, ORIGIN);
  const codeOf = async (act: Promise<unknown>): Promise<string> =>
    act.then(
      () => 'none',
      (error: AccessError) => error.code,
    );
  const request = (method: string, headers: Record<string, string> = {}) => ({ socket: {}, method, headers });
  const dangerous = (freshSignIn: boolean) => {
    const incoming = request('POST', { origin: ORIGIN });
    const context = new RequestContext('r-1', incoming as never);
    context.operation = { freshSignIn } as never;
    attachContext(incoming as never, context);
    return incoming;
  };

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', ''])(
    'asks for our own Origin with %p',
    async (method) => {
      expect(await codeOf(access.identify(request(method)))).toBe('foreign_origin');
      expect(await codeOf(access.identify(request(method, { origin: 'https://evil.example' })))).toBe(
        'foreign_origin',
      );
      expect(await codeOf(access.identify(request(method, { origin: ORIGIN.toUpperCase() })))).toBe(
        'foreign_origin',
      );
      expect(await codeOf(access.identify(request(method, { referer: `${ORIGIN}/` })))).toBe(
        'foreign_origin',
      );
      expect(await codeOf(access.identify(request(method, { origin: ORIGIN })))).toBe('none');
    },
  );

  it.each(['GET', 'HEAD'])('asks for none with %s', async (method) => {
    expect(await codeOf(access.identify(request(method)))).toBe('none');
  });

  it.each([
    ['without a time of sign-in', () => undefined, 'reauthentication_required'],
    [
      'after a sign-in of long ago',
      () => Date.now() - (FRESH_SIGN_IN_S + 1) * 1_000,
      'reauthentication_required',
    ],
    ['after one of just now', () => Date.now() - 1_000, 'none'],
  ])('judges a dangerous command %s', async (_, at, code) => {
    authenticatedAt = at();
    expect(await codeOf(access.permit(superAdmin(), 'mode.manage', dangerous(true)))).toBe(code);
    expect(await codeOf(access.permit(superAdmin(), 'mode.manage', dangerous(false)))).toBe('none');
  });

  it('says first that the role is not enough', async () => {
    const auditor: Principal = { ...superAdmin(), roles: ['Auditor'] };
    expect(await codeOf(access.permit(auditor, 'mode.manage', dangerous(true)))).toBe('forbidden');
  });

  it('says why a person has no role', async () => {
    const nobody: Principal = { ...superAdmin(), roles: [], roleless: 'None of your groups has a role.' };
    await expect(access.permit(nobody, 'keys.read', request('GET'))).rejects.toThrow(
      /has no role, which does not permit keys.read. None of your groups has a role.$/,
    );
  });
});
