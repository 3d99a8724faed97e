import { z } from 'zod';
import { divisionId, ROLES } from '#platform/edge';
import {
  type Config,
  decimal,
  flag,
  json,
  list,
  matching,
  type MemberDefinition,
  oneOf,
  port,
  readableFile,
  certificateFile,
  text,
  url,
  wholeNumber,
} from '#platform/process';
import { JSON_POINTER } from './domain/json-pointer';

const pointer = z.string().regex(JSON_POINTER, 'expected a JSON pointer such as /groups').max(256);
const value = z.string().min(1).max(256);

/** One rule: `{ "claim": "/groups", "value": "kernel-operators", "role": "Operator" }`. */
const roleRule = z
  .strictObject({
    claim: pointer,
    value,
    role: z.enum(ROLES),
    division: divisionId.optional(),
    divisionClaim: pointer.optional(),
  })
  .refine(
    ({ role, division, divisionClaim }) =>
      role === 'DivisionLead'
        ? (division === undefined) !== (divisionClaim === undefined)
        : division === undefined && divisionClaim === undefined,
    'a rule for DivisionLead names its division by either division or divisionClaim, other rules name none',
  );

/** Signature algorithms that an identity provider may use: never `none`, and none with a shared secret. */
export const TOKEN_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** The listener for people and their identity provider; spread into the kernel's `defineConfig`. */
export const peopleSettings = {
  KERNEL_WEB_HOST: {
    schema: text(),
    description: 'Address on which the listener for people is.',
    default: '0.0.0.0',
  },
  KERNEL_WEB_PORT: {
    schema: port().optional(),
    description: 'Port of the listener for people. Without it there is none.',
  },
  KERNEL_WEB_ORIGIN: {
    schema: url('https', 'http').optional(),
    description:
      'Scheme, host and port under which people reach that listener, such as https://kernel.example.com. In production https, which ends at this process or at a proxy before it.',
  },
  KERNEL_WEB_TLS_CERT_FILE: {
    schema: certificateFile().optional(),
    description:
      'Its certificate chain (PEM). Without it the listener speaks HTTP: in development, or behind a proxy at which TLS ends.',
  },
  KERNEL_WEB_TLS_KEY_FILE: { schema: readableFile().optional(), description: 'Its private key (PEM).' },
  KERNEL_WEB_BEHIND_TLS_PROXY: {
    schema: flag(),
    description: 'Says that a proxy before the listener ends TLS, so that it may speak HTTP in production.',
    default: false,
  },
  KERNEL_WEB_TRUSTED_PROXIES: {
    schema: wholeNumber({ min: 0, max: 10 }),
    description:
      'Number of proxies before the listener, whose X-Forwarded-For says from where people come: for the rate limits of sign-in alone.',
    default: 0,
  },
  KERNEL_OIDC_ISSUER: {
    schema: url('https', 'http').optional(),
    description:
      'The identity provider, exactly as it names itself. Its endpoints are found by OpenID Connect Discovery.',
  },
  KERNEL_OIDC_CLIENT_ID: {
    schema: matching(/^[\x21-\x7e]{1,255}$/, 'a client id').optional(),
    description: 'What the provider knows this kernel as.',
  },
  KERNEL_OIDC_CLIENT_SECRET: {
    schema: matching(/^[\x20-\x7e]{16,1024}$/, 'a secret of 16 characters or more').optional(),
    description: "The client's secret, of the same provider.",
    secret: true,
    rotates: true,
  },
  KERNEL_OIDC_CLIENT_AUTH: {
    schema: oneOf('client_secret_basic', 'client_secret_post'),
    description: 'How the secret is sent to the token endpoint.',
    default: 'client_secret_basic',
  },
  KERNEL_OIDC_CA_FILE: {
    schema: certificateFile('authorities').optional(),
    description: "The authorities (PEM) of the provider's certificate, where the usual ones are not.",
  },
  KERNEL_OIDC_SCOPES: {
    schema: list(
      matching(/^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/, 'a scope'),
      'scopes such as openid,profile,groups',
    ),
    description: 'Scopes that sign-in asks for; openid is always among them.',
    default: 'openid,profile',
  },
  KERNEL_OIDC_ALGORITHMS: {
    schema: list(oneOf(...TOKEN_ALGORITHMS), 'algorithms such as RS256,ES256'),
    description: "Signature algorithms of the provider's tokens that are accepted.",
    default: 'RS256,PS256,ES256,EdDSA',
  },
  KERNEL_OIDC_ROLES: {
    schema: json(
      z.array(roleRule).max(200),
      'a list such as [{"claim":"/groups","value":"kernel-operators","role":"Operator"},{"claim":"/groups","value":"product-leads","role":"DivisionLead","division":"product"}]',
    ),
    description:
      'Which role a value of a claim gives: a JSON pointer into the claims of the ID token, to a text or a list of texts, and the value. A person for whom no rule holds has no role. A DivisionLead has a division, or a divisionClaim that names it.',
    default: '[]',
    fromFile: true,
  },
  KERNEL_OIDC_UNITE_ROLES: {
    schema: flag(),
    description:
      'Gives a person for whom several rules hold all of their roles; otherwise such a person is refused.',
    default: false,
  },
  KERNEL_OIDC_CLOCK_TOLERANCE_SECONDS: {
    schema: wholeNumber({ min: 0, max: 300 }),
    description: "How far the provider's clock may be from this one's.",
    default: 30,
    unit: 's',
  },
  KERNEL_OIDC_REFRESH_MINUTES: {
    schema: decimal({ min: 0.02, max: 1_440 }),
    description:
      'How often the provider is asked, where it gives refresh tokens, whether a person may still do what they may. While it is away sessions go on, up to their limits.',
    default: 15,
    unit: 'min',
  },
  KERNEL_OIDC_TOKEN_AUDIENCE: {
    schema: matching(/^[\x21-\x7e]{1,255}$/, 'an audience such as https://kernel.example.com').optional(),
    description:
      "Audience of the provider's access tokens (RFC 9068) that scripts of people may send as Authorization: Bearer to the listener for people. Without it none is accepted.",
  },
  KERNEL_SESSION_IDLE_MINUTES: {
    schema: decimal({ min: 0.02, max: 1_440 }),
    description: 'How long a session of a person lasts without a request.',
    default: 30,
    unit: 'min',
  },
  KERNEL_SESSION_MAX_HOURS: {
    schema: decimal({ min: 0.001, max: 168 }),
    description: 'How long a session of a person lasts in all.',
    default: 12,
    unit: 'h',
  },
  KERNEL_SIGN_IN_LIMIT: {
    schema: wholeNumber({ min: 1, max: 10_000 }),
    description: 'Most requests of a minute to the pages of sign-in from one address.',
    default: 60,
  },
} as const satisfies Record<string, MemberDefinition>;

export type PeopleConfig = Config<typeof peopleSettings>;
