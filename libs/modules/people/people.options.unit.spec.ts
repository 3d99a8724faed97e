import { ConfigError, defineConfig, loadConfig } from '#platform/process';
import { peopleOptions } from './people.options';
import { peopleSettings } from './people.settings';

const DEFINITION = defineConfig(peopleSettings);
const DEVELOPMENT = {
  KERNEL_WEB_PORT: '8440',
  KERNEL_WEB_ORIGIN: 'http://localhost:8440',
  KERNEL_OIDC_ISSUER: 'http://127.0.0.1:8447',
  KERNEL_OIDC_CLIENT_ID: 'kernel',
  KERNEL_OIDC_CLIENT_SECRET: 'a-secret-of-the-client',
};
const PRODUCTION = {
  ...DEVELOPMENT,
  NODE_ENV: 'production',
  KERNEL_WEB_ORIGIN: 'https://kernel.example.com',
  KERNEL_WEB_BEHIND_TLS_PROXY: 'true',
  KERNEL_OIDC_ISSUER: 'https://idp.example.com/realms/main',
};

const optionsOf = (environment: Record<string, string>) => peopleOptions(loadConfig(DEFINITION, environment));
const problemsOf = (environment: Record<string, string>): string[] => {
  try {
    optionsOf(environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.details.problems.map(({ member }) => member);
  }
};

describe('the settings of sign-in', () => {
  it('are none without a port', () => {
    expect(optionsOf({})).toBeUndefined();
  });

  it.each([
    ['development', DEVELOPMENT],
    ['production', PRODUCTION],
  ])('do in %s', (_, environment) => {
    expect(optionsOf(environment)).toMatchObject({
      issuer: environment.KERNEL_OIDC_ISSUER,
      scopes: ['openid', 'profile'],
      session: { idleMs: 1_800_000, absoluteMs: 43_200_000 },
    });
  });

  it.each<[string, Record<string, string>, string[]]>([
    [
      'all that is missing',
      { KERNEL_WEB_PORT: '8440' },
      ['KERNEL_WEB_ORIGIN', 'KERNEL_OIDC_ISSUER', 'KERNEL_OIDC_CLIENT_ID', 'KERNEL_OIDC_CLIENT_SECRET'],
    ],
    [
      'pages without TLS in production',
      { ...PRODUCTION, KERNEL_WEB_ORIGIN: 'http://kernel.example.com' },
      ['KERNEL_WEB_ORIGIN'],
    ],
    [
      'https that ends nowhere',
      { ...PRODUCTION, KERNEL_WEB_BEHIND_TLS_PROXY: 'false' },
      ['KERNEL_WEB_TLS_CERT_FILE'],
    ],
    [
      'an origin with a path',
      { ...DEVELOPMENT, KERNEL_WEB_ORIGIN: 'http://localhost:8440/' },
      ['KERNEL_WEB_ORIGIN'],
    ],
    [
      'a provider without TLS in production',
      { ...PRODUCTION, KERNEL_OIDC_ISSUER: 'http://127.0.0.1:8447' },
      ['KERNEL_OIDC_ISSUER'],
    ],
    [
      'a provider without TLS elsewhere',
      { ...DEVELOPMENT, KERNEL_OIDC_ISSUER: 'http://idp.example.com' },
      ['KERNEL_OIDC_ISSUER'],
    ],
    [
      'an issuer with a fragment',
      { ...PRODUCTION, KERNEL_OIDC_ISSUER: 'https://idp.example.com#x' },
      ['KERNEL_OIDC_ISSUER'],
    ],
    [
      'an algorithm without a signature',
      { ...DEVELOPMENT, KERNEL_OIDC_ALGORITHMS: 'none' },
      ['KERNEL_OIDC_ALGORITHMS'],
    ],
    [
      'an algorithm with a shared secret',
      { ...DEVELOPMENT, KERNEL_OIDC_ALGORITHMS: 'HS256' },
      ['KERNEL_OIDC_ALGORITHMS'],
    ],
    [
      'a lead without a division',
      { ...DEVELOPMENT, KERNEL_OIDC_ROLES: '[{"claim":"/groups","value":"x","role":"DivisionLead"}]' },
      ['KERNEL_OIDC_ROLES'],
    ],
    [
      'a division of another role',
      {
        ...DEVELOPMENT,
        KERNEL_OIDC_ROLES: '[{"claim":"/groups","value":"x","role":"Operator","division":"a"}]',
      },
      ['KERNEL_OIDC_ROLES'],
    ],
    [
      'a claim that is no pointer',
      { ...DEVELOPMENT, KERNEL_OIDC_ROLES: '[{"claim":"groups","value":"x","role":"Operator"}]' },
      ['KERNEL_OIDC_ROLES'],
    ],
  ])('name %s', (_, environment, members) => {
    expect(problemsOf(environment)).toEqual(members);
  });

  it('keep the secret of the client out of what is printed', () => {
    const config = loadConfig(DEFINITION, DEVELOPMENT);
    expect(JSON.stringify(config)).not.toContain('a-secret-of-the-client');
  });
});
