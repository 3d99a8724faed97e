/**
 * Dependencies point one way: apps -> bounded modules -> technical libs -> evidence (docs/architecture.md).
 * A lib is entered by its src/index.ts alone; domain/ and evidence import no framework and do no I/O.
 */
const MODULES = '^libs/(governance|signing|audit|key-registry|modes)/';
const TECHNICAL =
  '^libs/(event-store|leadership|webhooks|audit-stream|audit-index|archive|signer|access|http-edge|config|observability|testing|devstack)/';
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'one-door-per-lib',
      comment: 'Another lib is imported as #libs/<name>, never by a path into it.',
      severity: 'error',
      from: { path: '^libs/([^/]+)/' },
      to: { path: '^libs/', pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'one-door-for-apps',
      severity: 'error',
      from: { path: '^(apps|test)/' },
      to: { path: '^libs/', pathNot: '^libs/[^/]+/src/index\\.ts$' },
    },
    { name: 'libs-not-to-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^(apps|test)/' } },
    {
      name: 'apps-apart',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    { name: 'technical-not-to-modules', severity: 'error', from: { path: TECHNICAL }, to: { path: MODULES } },
    {
      name: 'modules-apart',
      comment: 'Bounded modules meet in apps/, by commands and queries.',
      severity: 'error',
      from: { path: '^libs/(governance|signing|audit|key-registry|modes)/', pathNot: '\\.spec\\.ts$' },
      to: { path: MODULES, pathNot: '^libs/$1/' },
    },
    {
      name: 'evidence-is-the-ground',
      severity: 'error',
      from: { path: '^libs/evidence/', pathNot: '\\.spec\\.ts$' },
      to: { path: ['^libs/(?!evidence/)', '^node_modules/(@nestjs|typeorm|pg|express|undici)/'] },
    },
    {
      name: 'domain-is-pure',
      severity: 'error',
      from: { path: '^libs/[^/]+/src/domain/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^node_modules/(@nestjs|typeorm|pg|express|undici)/' },
    },
    {
      name: 'evidence-core-runs-anywhere',
      comment: 'The core of the formats is for browsers too; src/index.ts binds node:crypto.',
      severity: 'error',
      from: { path: '^libs/evidence/src/core/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'domain-does-no-io',
      severity: 'error',
      from: { path: '^libs/[^/]+/src/domain/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'testing-only-in-tests',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['\\.(spec|fixture)\\.ts$', '^libs/testing/'] },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'fixtures-only-in-tests',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.(spec|fixture)\\.ts$' },
      to: { path: '\\.fixture\\.ts$' },
    },
    {
      name: 'not-to-dev-dep',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['\\.spec\\.ts$', '^libs/testing/'] },
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
