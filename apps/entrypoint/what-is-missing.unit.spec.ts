import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whatIsMissing } from './what-is-missing';

describe('whatIsMissing', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'kernel-entrypoint-'));
    mkdirSync(join(root, 'node_modules/ajv'), { recursive: true });
    writeFileSync(join(root, 'node_modules/ajv/package.json'), '{}');
    writeFileSync(join(root, 'openapi.yaml'), 'openapi: 3.1.0');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('is nothing, with document and validator', () => {
    expect(whatIsMissing(root, join(root, 'openapi.yaml'))).toBeNull();
  });

  it('is the document', () => {
    const path = join(root, 'elsewhere.yaml');
    expect(whatIsMissing(root, path)).toContain(
      `no OpenAPI document at ${JSON.stringify(path)} (OPENAPI_PATH)`,
    );
  });

  it('is the validator', () => {
    rmSync(join(root, 'node_modules/ajv'), { recursive: true });
    expect(whatIsMissing(root, join(root, 'openapi.yaml'))).toContain(
      'the validator of requests is not in this image',
    );
  });
});
