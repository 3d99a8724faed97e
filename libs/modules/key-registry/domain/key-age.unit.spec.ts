import { evolveKeys, type JsonObject, type KeyRegistryState, NO_KEYS } from '#evidence';
import { TestSigner } from '#dev/testing';
import { keyAges } from './key-age';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const DAY_MS = 86_400_000;
const day = (n: number): string => new Date(START + n * DAY_MS).toISOString();

const A1 = new TestSigner('a1', { purposes: ['audit'] });
const A2 = new TestSigner('a2', { purposes: ['audit'] });
const M1 = new TestSigner('m1', { purposes: ['manifest'] });

/** The registry of a kernel of one shard, folded from these events alone. */
function registry(...events: [number, string, JsonObject][]): KeyRegistryState {
  return events.reduce(take, { ...NO_KEYS, shards: 1 });
}
function take(
  state: KeyRegistryState,
  [at, type, payload]: [number, string, JsonObject],
  n: number,
): KeyRegistryState {
  const hash = n.toString(16).padStart(64, '0');
  const heads = [{ shard: 0, seq: n, hash }];
  return evolveKeys(state, {
    type,
    stream: 'signer/x',
    payload: { heads, ...payload },
    shard: 0,
    seq: n + 1,
    ts: day(at),
    signerKid: 'any',
    prevHash: hash,
  });
}
const added = (at: number, { entry }: TestSigner): [number, string, JsonObject] => [
  at,
  'signer.added',
  { signer: { ...entry } },
];

describe('keyAges', () => {
  const ages = (state: KeyRegistryState, at: number) =>
    keyAges(state, START + at * DAY_MS, 365 * DAY_MS).map(({ kid, ageMs, due }) => [
      kid,
      ageMs / DAY_MS,
      due,
    ]);

  it('says when a key in force is due', () => {
    const state = registry(added(0, A1), added(10, M1));
    expect(ages(state, 364)).toEqual([
      ['a1', 364, false],
      ['m1', 354, false],
    ]);
    expect(ages(state, 365)).toEqual([
      ['a1', 365, true],
      ['m1', 355, false],
    ]);
  });

  it('does not mind the age of a key that was replaced, nor show one that has ended', () => {
    const rotated = registry(added(0, A1), [
      300,
      'signer.rotated',
      { from: 'a1', to: { ...A2.entry }, counterSignature: A2.provePossession('k', 'a1') },
    ]);
    expect(ages(rotated, 400)).toEqual([
      ['a1', 400, false],
      ['a2', 100, false],
    ]);
    const retired = take(rotated, [310, 'signer.retired', { signer_kid: 'a1', retiredAt: day(310) }], 8);
    expect(ages(retired, 700)).toEqual([['a2', 400, true]]);
  });
});
