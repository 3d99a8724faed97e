import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createLocalJWKSet, createRemoteJWKSet, exportJWK, exportSPKI, SignJWT } from 'jose';
import { type PeopleError } from '../domain/people.error';
import { type PendingSignIn } from '../domain/person-session';
import { personOfAccessToken } from './access-token';
import { personOfIdToken } from './id-token';
import { readLogoutToken } from './logout-token';

const ISSUER = 'https://idp.example.com';
const CLIENT = 'kernel';
const AUDIENCE = 'https://kernel.example.com';
const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';
const RULES = {
  issuer: ISSUER,
  clientId: CLIENT,
  algorithms: ['ES256', 'RS256'],
  clockToleranceS: 30,
  roleRules: [{ claim: '/groups', value: 'ops', role: 'Operator' }],
};
const PENDING: PendingSignIn = {
  nonce: 'the-nonce',
  codeVerifier: 'v',
  returnTo: '/',
  fresh: false,
  startedAt: Date.now(),
};

type Claims = Record<string, unknown>;
type Kind = 'ID token' | 'access token' | 'logout token';

/** What a forger knows: the public keys, and tokens of all kinds that the provider made for others. */
describe('tokens', () => {
  const es = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let keys: ReturnType<typeof createLocalJWKSet>;
  let publicPem: string;
  beforeAll(async () => {
    keys = createLocalJWKSet({
      keys: [
        { ...(await exportJWK(es.publicKey)), kid: 'es', alg: 'ES256', use: 'sig' },
        { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256', use: 'sig' },
      ],
    });
    publicPem = await exportSPKI(rsa.publicKey);
  });

  const now = () => Math.floor(Date.now() / 1_000);
  const claimsOf: Record<Kind, () => Claims> = {
    'ID token': () => ({
      iss: ISSUER,
      sub: 'ada',
      aud: CLIENT,
      exp: now() + 300,
      iat: now(),
      nonce: PENDING.nonce,
      auth_time: now(),
      groups: ['ops'],
    }),
    'access token': () => ({
      iss: ISSUER,
      sub: 'ada',
      aud: AUDIENCE,
      exp: now() + 300,
      iat: now(),
      client_id: 'script',
      jti: 'j-1',
      groups: ['ops'],
    }),
    'logout token': () => ({
      iss: ISSUER,
      sub: 'ada',
      sid: 's-1',
      aud: CLIENT,
      exp: now() + 300,
      iat: now(),
      jti: 'j-1',
      events: { [LOGOUT]: {} },
    }),
  };
  const typeOf: Record<Kind, string> = {
    'ID token': 'JWT',
    'access token': 'at+jwt',
    'logout token': 'logout+jwt',
  };

  async function made(
    kind: Kind,
    change: Claims = {},
    { key = es.privateKey, ...header }: { key?: KeyObject } & Claims = {},
  ): Promise<string> {
    const claims = Object.fromEntries(
      Object.entries({ ...claimsOf[kind](), ...change }).filter(([, value]) => value !== undefined),
    );
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'es', typ: typeOf[kind], ...header })
      .sign(key);
  }

  const judge = (kind: Kind, token: string): Promise<unknown> => {
    if (kind === 'ID token') return personOfIdToken(token, keys, RULES, PENDING);
    if (kind === 'access token') return personOfAccessToken(token, keys, RULES, AUDIENCE);
    return readLogoutToken(token, keys, RULES);
  };
  const verdict = async (kind: Kind, token: string): Promise<string> =>
    judge(kind, token).then(
      () => 'accepted',
      (error: PeopleError) => `${error.name}:${error.code}`,
    );

  const KINDS: readonly Kind[] = ['ID token', 'access token', 'logout token'];

  it.each(KINDS)('of the kind %s are accepted as the provider makes them', async (kind) => {
    expect(await verdict(kind, await made(kind))).toBe('accepted');
    expect(await verdict(kind, await made(kind, {}, { key: rsa.privateKey, alg: 'RS256', kid: 'rsa' }))).toBe(
      'accepted',
    );
  });

  const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const split = (token: string): [string, string, string] => token.split('.') as [string, string, string];
  const withHeader = (token: string, change: Claims): string => {
    const [header, body, signature] = split(token);
    const before = JSON.parse(Buffer.from(header, 'base64url').toString()) as Claims;
    return `${base64({ ...before, ...change })}.${body}.${signature}`;
  };
  const resigned = (token: string, change: Claims, mac: (input: string) => Buffer): string => {
    const [header, body] = split(withHeader(token, change));
    return `${header}.${body}.${mac(`${header}.${body}`).toString('base64url')}`;
  };

  type Forger = (kind: Kind) => Promise<string> | string;
  const FORGERIES: Record<string, Forger> = {
    'no signature, alg none': async (kind) =>
      `${split(withHeader(await made(kind), { alg: 'none' }))
        .slice(0, 2)
        .join('.')}.`,
    'alg none in another case': async (kind) => withHeader(await made(kind), { alg: 'nOnE' }),
    'alg none with the old signature': async (kind) => withHeader(await made(kind), { alg: 'none' }),
    'an empty signature': async (kind) =>
      `${split(await made(kind))
        .slice(0, 2)
        .join('.')}.`,
    'two parts': async (kind) =>
      split(await made(kind))
        .slice(0, 2)
        .join('.'),
    'four parts': async (kind) => `${await made(kind)}.x`,
    'a signature by a foreign key under our key id': (kind) => made(kind, {}, { key: foreign.privateKey }),
    'a signature by a key that is not published': (kind) =>
      made(kind, {}, { key: foreign.privateKey, kid: 'foreign' }),
    'a key of its own in the header': async (kind) =>
      made(kind, {}, { key: foreign.privateKey, jwk: await exportJWK(foreign.publicKey) }),
    'a key by a URL in the header': (kind) =>
      made(kind, {}, { key: foreign.privateKey, kid: 'foreign', jku: 'https://evil.example/jwks' }),
    'HS256 by the public key': async (kind) =>
      resigned(await made(kind), { alg: 'HS256', kid: 'rsa' }, (input) =>
        createHmac('sha256', publicPem).update(input).digest(),
      ),
    'HS256 by the client secret': async (kind) =>
      resigned(await made(kind), { alg: 'HS256', kid: undefined }, (input) =>
        createHmac('sha256', 'client-secret').update(input).digest(),
      ),
    'an algorithm that is not accepted': async (kind) =>
      resigned(await made(kind), { alg: 'RS512', kid: 'rsa' }, (input) =>
        sign('sha512', Buffer.from(input), rsa.privateKey),
      ),
    'an ES256 signature in DER': async (kind) =>
      resigned(await made(kind), {}, (input) => sign('sha256', Buffer.from(input), es.privateKey)),
    'a signature of zeros': async (kind) => resigned(await made(kind), {}, () => Buffer.alloc(64)),
    'a critical extension': async (kind) =>
      made(kind, {}, { crit: ['x'], x: 1 }).catch(async () =>
        withHeader(await made(kind), { crit: ['x'], x: 1 }),
      ),
    'another subject under an old signature': async (kind) => {
      const [header, body, signature] = split(await made(kind));
      const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims;
      return `${header}.${base64({ ...claims, sub: 'eve' })}.${signature}`;
    },
    'another issuer': (kind) => made(kind, { iss: 'https://evil.example' }),
    'the issuer with a slash': (kind) => made(kind, { iss: `${ISSUER}/` }),
    'the issuer in another case': (kind) => made(kind, { iss: ISSUER.toUpperCase() }),
    'no issuer': (kind) => made(kind, { iss: undefined }),
    'another audience': (kind) => made(kind, { aud: 'another-client' }),
    'no audience': (kind) => made(kind, { aud: undefined }),
    'an empty audience': (kind) => made(kind, { aud: [] }),
    'an expired time': (kind) => made(kind, { exp: now() - 31 }),
    'no expiry': (kind) => made(kind, { exp: undefined }),
    'an expiry that is no number': (kind) => made(kind, { exp: '9999999999' }),
    'no time of issue': (kind) => made(kind, { iat: undefined }),
    'a time of issue of last week': (kind) => made(kind, { iat: now() - 7 * 86_400 }),
    'a time of issue in the future': (kind) => made(kind, { iat: now() + 120 }),
    'a start in the future': (kind) => made(kind, { nbf: now() + 120 }),
    'a subject with blanks': (kind) => made(kind, { sub: 'a da' }),
    'a subject of 256 characters': (kind) => made(kind, { sub: 'x'.repeat(256) }),
    'an empty subject': (kind) => made(kind, { sub: '' }),
    'a subject that is no text': (kind) => made(kind, { sub: 7 }),
    'a type of another purpose': (kind) => made(kind, {}, { typ: 'secevent+jwt' }),
    'more bytes than are looked at': (kind) => made(kind, { filler: 'x'.repeat(20_000) }),
    'no token': () => 'hello',
    nothing: () => '',
  };

  const CASES = KINDS.flatMap((kind) =>
    Object.entries(FORGERIES).map(([what, forge]) => [kind, what, forge] as const),
  );

  it('are forged in at least 60 ways', () => {
    expect(CASES.length).toBeGreaterThanOrEqual(60);
  });

  it.each(CASES)('of the kind %s are refused with %s', async (kind, _, forge) => {
    expect(await verdict(kind, await forge(kind))).toMatch(/^PeopleError:/);
  });

  it.each<[string, Kind, Claims, Claims]>([
    ['another nonce', 'ID token', { nonce: 'other' }, {}],
    ['no nonce', 'ID token', { nonce: undefined }, {}],
    ['a nonce that is a list', 'ID token', { nonce: [PENDING.nonce] }, {}],
    ['several audiences and no party', 'ID token', { aud: [CLIENT, 'other'] }, {}],
    ['another party', 'ID token', { azp: 'other' }, {}],
    ['several audiences and another party', 'ID token', { aud: [CLIENT, 'other'], azp: 'other' }, {}],
    ['no subject', 'ID token', { sub: undefined }, {}],
    ['a time of sign-in that is no number', 'ID token', { auth_time: 'now' }, {}],
    ['a negative time of sign-in', 'ID token', { auth_time: -1 }, {}],
    ['the type of an access token', 'ID token', {}, { typ: 'at+jwt' }],
    ['the type of a logout token', 'ID token', {}, { typ: 'logout+jwt' }],
    ['the type of an ID token', 'access token', {}, { typ: 'JWT' }],
    ['no type', 'access token', {}, { typ: undefined }],
    ['the client as its subject', 'access token', { client_id: 'ada' }, {}],
    ['no client', 'access token', { client_id: undefined }, {}],
    ['no id', 'access token', { jti: undefined }, {}],
    ['a key that it is bound to', 'access token', { cnf: { jkt: 'x' } }, {}],
    ['the audience of the client', 'access token', { aud: CLIENT }, {}],
    ['a nonce', 'logout token', { nonce: 'n' }, {}],
    ['no event', 'logout token', { events: {} }, {}],
    ['no events', 'logout token', { events: undefined }, {}],
    ['an event that is no object', 'logout token', { events: { [LOGOUT]: true } }, {}],
    ['events as a list', 'logout token', { events: [LOGOUT] }, {}],
    ['neither person nor session', 'logout token', { sub: undefined, sid: undefined }, {}],
    ['no id', 'logout token', { jti: undefined }, {}],
    ['an empty id', 'logout token', { jti: '' }, {}],
    ['a session that is no text', 'logout token', { sid: 7 }, {}],
    ['the type of an access token', 'logout token', {}, { typ: 'at+jwt' }],
  ])('with %s are no %s', async (_, kind, claims, header) => {
    expect(await verdict(kind, await made(kind, claims, header))).toMatch(/^PeopleError:/);
  });

  it('of one kind do not do as another', async () => {
    for (const made_ of KINDS) {
      for (const asked of KINDS.filter((kind) => kind !== made_)) {
        expect([made_, asked, await verdict(asked, await made(made_))]).toEqual([
          made_,
          asked,
          expect.stringMatching(/^PeopleError:/),
        ]);
      }
    }
  });

  it('say what a person can do about it', async () => {
    const codeOf = async (change: Claims, header: Claims = {}) =>
      verdict('ID token', await made('ID token', change, header));
    expect(await codeOf({ iat: now() + 120 })).toBe('PeopleError:clock_skew');
    expect(await codeOf({}, { key: foreign.privateKey, kid: 'new' })).toBe('PeopleError:keys_rotated');
    expect(await codeOf({ exp: now() - 31 })).toBe('PeopleError:invalid_id_token');
    const away = createRemoteJWKSet(new URL('http://127.0.0.1:1/jwks'));
    await expect(personOfIdToken(await made('ID token'), away, RULES, PENDING)).rejects.toMatchObject({
      code: 'provider_unavailable',
    });
  });

  it('within the tolerance of clocks are accepted, and a clock that is ahead makes no sign-in fresher', async () => {
    expect(await verdict('ID token', await made('ID token', { exp: now() - 20, iat: now() - 60 }))).toBe(
      'accepted',
    );
    const ahead = await made('ID token', { iat: now() + 20, auth_time: now() + 10_000 });
    const person = await personOfIdToken(ahead, keys, RULES, PENDING);
    expect(person.authenticatedAt).toBeLessThanOrEqual(Date.now());
  });

  it('of a fresh sign-in have to be of one', async () => {
    const fresh = { ...PENDING, fresh: true };
    const judged = async (claims: Claims) =>
      personOfIdToken(await made('ID token', claims), keys, RULES, fresh).then(
        () => 'accepted',
        (error: PeopleError) => error.code,
      );
    expect(await judged({ auth_time: now() - 600 })).toBe('not_reauthenticated');
    expect(await judged({ auth_time: undefined })).toBe('not_reauthenticated');
    expect(await judged({ auth_time: now() })).toBe('accepted');
  });
});
