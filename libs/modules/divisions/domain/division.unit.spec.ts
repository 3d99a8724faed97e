import { type JsonObject, manifestDigest } from '#evidence';
import { recorded } from '#dev/testing';
import { refusalOf } from '../fixtures/refusal.fixture';
import { type AccountState, EMPTY_ACCOUNT } from './account';
import { decideDivision, type DivisionState, evolveDivision, readDivisionManifest } from './division';

const spent = (pools: Record<string, number>): AccountState => ({
  held: new Map(Object.entries(pools).map(([pool, units]) => [pool, new Map([['agent/a', units]])])),
});

/** The division after manifests that were accepted one after the other. */
function after(...documents: JsonObject[]): DivisionState | null {
  return documents.reduce<DivisionState | null>((state, document, n) => {
    const { type, payload } = decideDivision(state, document, EMPTY_ACCOUNT);
    const signature = { id: `s-${n}`, keyVersion: '1', signedAt: '', envelope: {} };
    return evolveDivision(state, recorded(type, { ...payload, signature }, n + 1));
  }, null);
}
const refused = (state: DivisionState | null, document: JsonObject, account = EMPTY_ACCOUNT) =>
  refusalOf(() => decideDivision(state, document, account));

describe('a division', () => {
  it('is registered, and updated on the version that is in force', () => {
    const document = { id: 'product', name: 'Product', budget: 100, owner: 'ada' };
    const registered = decideDivision(null, document, EMPTY_ACCOUNT);
    const manifest = { ...document, version: 1 };
    expect(registered).toEqual({
      type: 'division.registered',
      payload: { division: 'product', version: 1, manifest, manifestSha256: manifestDigest(manifest) },
    });
    const state = after(document);
    expect(state).toMatchObject({ id: 'product', name: 'Product', status: 'active', version: 1, manifest });
    const updated = decideDivision(state, { id: 'product', version: 1, budget: 5 }, EMPTY_ACCOUNT);
    // The manifest is the one that was sent, not a mixture.
    expect(updated).toMatchObject({
      type: 'division.updated',
      payload: { version: 2, manifest: { id: 'product', version: 2, budget: 5 } },
    });
  });

  it.each([undefined, 0, 1, 3, 2 ** 53 - 1])(
    'is at version 2, and refuses a change based on %s',
    (version) => {
      const state = after({ id: 'p' }, { id: 'p', version: 1 });
      const document = { id: 'p', ...(version === undefined ? {} : { version }) };
      expect(refused(state, document)).toMatchObject({
        code: 'stale_version',
        details: { currentVersion: 2 },
      });
    },
  );

  it('that is not there is at no version', () => {
    expect(refused(null, { id: 'p', version: 1 })?.code).toBe('stale_version');
    expect(decideDivision(null, { id: 'p', version: 0 }, EMPTY_ACCOUNT).payload.version).toBe(1);
  });

  it('that is retired stays so; one that is paused goes on', () => {
    const paused = after({ id: 'p', status: 'paused' });
    expect(decideDivision(paused, { id: 'p', version: 1 }, EMPTY_ACCOUNT).type).toBe('division.updated');
    const retired = after({ id: 'p' }, { id: 'p', version: 1, status: 'retired' });
    expect(refused(retired, { id: 'p', version: 2, status: 'active' })?.code).toBe('division_retired');
  });

  it('keeps the budget for what is allocated', () => {
    const state = after({ id: 'p', budget: 100 });
    const cut = (budget: JsonObject[string], account: AccountState) =>
      refused(state, { id: 'p', version: 1, budget }, account);
    expect(cut(50, spent({ gpu: 40_000, cpu: 10_000 }))).toBeNull();
    expect(cut(49.999, spent({ gpu: 40_000, cpu: 10_000 }))).toMatchObject({
      code: 'budget_below_allocated',
      details: { pool: null, budget: 49.999, allocated: 50, available: -0.001 },
    });
    expect(cut({ gpu: 40 }, spent({ gpu: 40_000 }))).toBeNull();
    expect(cut({ gpu: 39 }, spent({ gpu: 40_000 }))?.details).toMatchObject({ pool: 'gpu', allocated: 40 });
    // A pool that is no longer named has no budget.
    expect(cut({ cpu: 99 }, spent({ gpu: 1 }))?.details).toMatchObject({ pool: 'gpu', budget: 0 });
    expect(refused(state, { id: 'p', version: 1 }, spent({ gpu: 1 }))?.code).toBe('budget_below_allocated');
  });

  it.each<[string, JsonObject]>([
    ['/id', {}],
    ['/id', { id: '-x' }],
    ['/id', { id: 'a/b' }],
    ['/name', { id: 'p', name: ' ' }],
    ['/status', { id: 'p', status: 'busy' }],
    ['/budget', { id: 'p', budget: -1 }],
    ['/budget', { id: 'p', budget: 0.0001 }],
    ['/budget', { id: 'p', budget: '7' }],
    ['/budget/a~1b', { id: 'p', budget: { 'a/b': 1e13 } }],
    ['/budget/a b', { id: 'p', budget: { 'a b': 1 } }],
    ['/budget', { id: 'p', budget: Object.fromEntries(Array.from({ length: 257 }, (_, n) => [`p${n}`, 1])) }],
    ['/version', { id: 'p', version: 'one' }],
    ['/version', { id: 'p', version: 1.5 }],
  ])('is refused at %s: %j', (pointer, document) => {
    expect(refused(null, document)).toMatchObject({ code: 'invalid_division', details: { pointer } });
  });

  it('has no budget unless it says so', () => {
    expect(readDivisionManifest({ id: 'p' }).budget).toEqual({ kind: 'whole', units: 0 });
    expect(readDivisionManifest({ id: 'p', budget: { gpu: 0.5 } }).budget).toEqual({
      kind: 'pools',
      units: new Map([['gpu', 500]]),
    });
  });
});
