/**
 * Dependencies point one way: apps -> modules -> platform -> evidence (docs/architecture.md). A room is entered only
 * through its index.ts. The rules are path prefixes, so that a new room needs no new rule.
 */
const TESTS = ['\\.(spec|fixture|bench)\\.ts$', '^test/', '^libs/dev/testing/'];
const PURE = '^libs/(evidence/|modules/[^/]+/domain/)';

/** A foreign package is imported only by the room that owns it, so that it can be replaced in one place. */
const OWNERS = [
  { packages: 'typeorm', room: '^libs/platform/(event-store|postgres)/' },
  // audit-verify is bundled into one file and keeps a reader of its own.
  { packages: 'pg', room: '^(libs/platform/postgres|apps/audit-verify)/' },
  { packages: '@nestjs/typeorm', room: '^libs/platform/kernel-store/' },
  { packages: 'ajv|ajv-formats', room: '^libs/platform/edge/' },
  // The management server, and the pages of sign-in; the API runs on the edge's own adapter (docs/adr/0008).
  { packages: '@nestjs/platform-express|express', room: '^libs/(platform/process|modules/people)/' },
  {
    packages:
      'passport|passport-openidconnect|@nestjs/passport|openid-client|jose|express-session|express-rate-limit|cookie|cookie-signature',
    room: '^libs/modules/people/',
  },
  { packages: 'oidc-provider', room: '^libs/dev/devstack/' },
  { packages: '@nestjs/microservices', room: '^libs/platform/audit-stream/' },
  { packages: 'kafkajs', room: '^libs/platform/audit-stream/' },
  { packages: 'undici', room: '^libs/platform/http-client/' },
  { packages: 'tweetnacl', room: '^libs/platform/signer/' },
  { packages: 'json-canonicalize', room: '^libs/evidence/' },
  { packages: 'swagger-ui-dist', room: '^libs/platform/edge/' },
  { packages: 'p-limit', room: '^libs/platform/resilience/' },
  { packages: '@aws-sdk/client-s3', room: '^libs/platform/archive/' },
  { packages: '@aws-sdk/client-kms|pkcs11js', room: '^libs/platform/signer/' },
  {
    packages: 'prom-client|@willsoto/nestjs-prometheus|@nestjs/terminus|pino',
    room: '^libs/platform/process/',
  },
  { packages: '@opentelemetry/[^/]+', room: '^libs/platform/tracing/' },
  { packages: '@simplewebauthn/server', room: '^libs/modules/governance/' },
  { packages: 'commander', room: '^apps/cli/' },
  { packages: 'tar-stream', room: '^apps/cli/' },
  // Bundled at the build, so nothing of them is in node_modules of an image.
  {
    packages: 'react|react-dom|@mantine/[^/]+|@tanstack/[^/]+|uplot|get-nonce|openapi-fetch',
    room: '^apps/admin-ui/',
  },
  { packages: 'playwright-core|axe-core', room: '^libs/dev/testing/' },
  { packages: '@grafana/[^/]+', room: '^libs/dev/dashboards/' },
];

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'one-door-per-room',
      comment:
        'Another room is imported as #evidence, #modules/x, #platform/x or #dev/x, never by a path into it.',
      severity: 'error',
      from: { path: '^libs/(evidence|(?:modules|platform|dev)/[^/]+)/' },
      to: {
        path: '^libs/',
        pathNot: ['^libs/$1/', '^libs/(evidence|(modules|platform|dev)/[^/]+)/index\\.ts$'],
      },
    },
    {
      name: 'one-door-for-apps',
      severity: 'error',
      from: { path: '^(apps|test)/' },
      to: { path: '^libs/', pathNot: '^libs/(evidence|(modules|platform|dev)/[^/]+)/index\\.ts$' },
    },
    { name: 'libs-not-to-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^(apps|test)/' } },
    {
      name: 'apps-apart',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'evidence-is-the-ground',
      severity: 'error',
      from: { path: '^libs/evidence/', pathNot: TESTS },
      to: { path: '^libs/(?!evidence/)' },
    },
    {
      name: 'verifier-stands-alone',
      comment:
        'It is one file for those who trust nothing else: what it imports of libs has no dependencies.',
      severity: 'error',
      from: { path: '^(apps/audit-verify|libs/platform/sigv4)/', pathNot: TESTS },
      to: { path: '^libs/', pathNot: '^libs/(evidence|platform/sigv4)/' },
    },
    {
      name: 'admin-ui-stands-alone',
      comment:
        'It runs in browsers: it knows the API by the contract, and of libs only what has no dependencies.',
      severity: 'error',
      from: { path: '^apps/admin-ui/' },
      to: { path: '^libs/', pathNot: '^libs/evidence/' },
    },
    {
      name: 'admin-ui-in-browsers',
      severity: 'error',
      from: { path: '^apps/admin-ui/', pathNot: TESTS },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'sigv4-without-packages',
      severity: 'error',
      from: { path: '^libs/platform/sigv4/', pathNot: TESTS },
      to: { path: '^node_modules/' },
    },
    {
      name: 'platform-not-to-modules',
      severity: 'error',
      from: { path: '^libs/platform/' },
      to: { path: '^libs/modules/' },
    },
    {
      name: 'modules-apart',
      comment: 'Bounded modules meet in apps/, by ports, commands and queries.',
      severity: 'error',
      from: { path: '^libs/modules/([^/]+)/', pathNot: TESTS },
      to: { path: '^libs/modules/', pathNot: '^libs/modules/$1/' },
    },
    {
      name: 'dev-only-in-development',
      comment:
        'What starts servers for development is imported by the CLI alone; a production image has no libs/dev.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [...TESTS, '^libs/dev/', '^apps/cli/'] },
      to: { path: '^libs/dev/' },
    },
    {
      name: 'testing-only-in-tests',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: TESTS },
      to: { path: '^libs/dev/testing/' },
    },
    {
      name: 'fixtures-only-in-tests',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: TESTS },
      to: { path: '\\.fixture\\.ts$' },
    },
    {
      name: 'pure-without-framework',
      comment: 'domain/ and evidence are functions on data.',
      severity: 'error',
      from: { path: PURE, pathNot: TESTS },
      to: {
        path: '^node_modules/(@nestjs|@simplewebauthn|typeorm|pg|express|undici|kafkajs|@aws-sdk|pino|prom-client)/',
      },
    },
    {
      name: 'domain-stands-on-evidence',
      comment: 'domain/ knows the formats and its own rules; what it decides is carried out around it.',
      severity: 'error',
      from: { path: '^libs/modules/[^/]+/domain/', pathNot: TESTS },
      to: { path: '^libs/', pathNot: '^libs/(evidence/|modules/[^/]+/domain/)' },
    },
    {
      name: 'pure-does-no-io',
      comment:
        'Evidence runs in browsers too: only the implementation that package.json chooses for Node.js has node:crypto.',
      severity: 'error',
      from: { path: PURE, pathNot: [...TESTS, '^libs/evidence/crypto/node-crypto\\.ts$'] },
      to: { dependencyTypes: ['core'] },
    },
    ...OWNERS.map(({ packages, room }) => ({
      name: `one-owner-of-${packages.split('|')[0].replaceAll(/[^a-z0-9-]/g, '')}`,
      comment: `Imported in ${room} alone; others use that room's door.`,
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [...TESTS, '^libs/dev/', room] },
      to: { path: `^node_modules/(${packages})/` },
    })),
    {
      name: 'not-to-dev-dep',
      comment:
        'The image has no devDependencies. The CLI and what it starts are not in it, the admin UI is bundled.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [...TESTS, '^apps/(admin-ui|cli)/', '^libs/dev/'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: '^(node_modules|dist)' },
    exclude: { path: '^dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'require', 'node', 'default'],
      mainFields: ['main', 'types'],
    },
  },
};
