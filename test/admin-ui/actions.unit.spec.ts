import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { kernelContract } from '../contract/contract.client';

it('the admin UI asks about actions that the contract has', () => {
  const source = readFileSync(join(workTree(), 'apps/admin-ui', 'session', 'session.ts'), 'utf8');
  const type = /export type Action =([^;]+);/.exec(source)?.[1] ?? '';
  const asked = [...type.matchAll(/'([^']+)'/g)].map(([, action]) => action);
  expect(asked.length).toBeGreaterThan(10);
  const policies = new Set(kernelContract().operations.map(({ policy }) => String(policy)));
  expect(asked.filter((action = '') => !policies.has(action))).toEqual([]);
});
