import { join } from 'node:path';
import { loadContract } from './load-contract';

it('the kernel’s own document loads', () => {
  const contract = loadContract(join(__dirname, '../../../../openapi/kernel.yaml'));
  expect(contract.operations.length).toBe(12);
});
