import { createHash } from 'node:crypto';
import { type JsonObject } from '#evidence';
import { subjectOfManifest, subjectOfReference } from './manifest-subject';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('the subject of a manifest', () => {
  it.each([
    [{ manifestId: 'a', id: 'b', upgradeId: 'c', name: 'd' }, 'a'],
    [{ id: 'b', upgradeId: 'c', name: 'd' }, 'b'],
    [{ upgradeId: 'c', name: 'd' }, 'c'],
    [{ name: 'd' }, 'd'],
    [{ manifestId: '', id: 'b' }, 'b'],
    [{ id: 7, name: 'd' }, 'd'],
  ] as [JsonObject, string][])('%j is named %s', (manifest, id) => {
    expect(subjectOfManifest(manifest).manifestId).toBe(id);
  });

  it('is named by its digest when it has no id', () => {
    expect(subjectOfManifest({}).manifestId).toBe(`sha256:${sha256('{}')}`);
  });

  it.each([
    ['1.0.0', '1.0.0'],
    [3, '3'],
    [1.5, '1.5'],
    [null, 'unversioned'],
    ['', 'unversioned'],
    [{}, 'unversioned'],
  ] as [JsonObject[string], string][])('version %j is %s', (version, expected) => {
    expect(subjectOfManifest({ version }).version).toBe(expected);
  });

  it('has a kind and a division where the manifest names them', () => {
    expect(subjectOfManifest({ kind: 'agent', type: 'code', division: 'product' })).toMatchObject({
      kind: 'agent',
      division: 'product',
    });
    expect(subjectOfManifest({ type: 'code', divisionId: 'finance' })).toMatchObject({
      kind: 'code',
      division: 'finance',
    });
    expect(subjectOfManifest({})).toMatchObject({ kind: 'manifest', division: null });
  });

  it('is digested in canonical form', () => {
    expect(subjectOfManifest({ b: 1, a: [1e2] }).sha256).toBe(sha256('{"a":[100],"b":1}'));
  });

  it('comes from a reference as it is given', () => {
    expect(subjectOfReference({ manifestId: 'x', version: 2, sha256: 'f'.repeat(64) })).toEqual({
      manifestId: 'x',
      version: '2',
      kind: 'manifest',
      sha256: 'f'.repeat(64),
      division: null,
    });
  });
});
