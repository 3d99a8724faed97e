import { type JsonObject, type KeyRegistryState } from '#evidence';
import { TestSigner } from '#dev/testing';
import { FoldedRegistry } from '../fixtures/registry-events.fixture';
import { keyAges } from './key-age';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const DAY_MS = 86_400_000;
const day = (n: number): string => new Date(START + n * DAY_MS).toISOString();

const A1 = new TestSigner('a1', { purposes: ['audit'] });
const A2 = new TestSigner('a2', { purposes: ['audit'] });
const M1 = new TestSigner('m1', { purposes: ['manifest'] });

type Dated = [number, string, JsonObject];

function registry(...events: Dated[]): KeyRegistryState {
  const folded = new FoldedRegistry(() => day(0));
  for (const [at, type, payload] of events) folded.take(type, 'signer/x', payload, day(at));
  return folded.state;
}
const added = (at: number, { entry }: TestSigner): Dated => [at, 'signer.added', { signer: { ...entry } }];

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
    const events: Dated[] = [
      added(0, A1),
      [
        300,
        'signer.rotated',
        { from: 'a1', to: { ...A2.entry }, counterSignature: A2.provePossession('k', 'a1') },
      ],
    ];
    expect(ages(registry(...events), 400)).toEqual([
      ['a1', 400, false],
      ['a2', 100, false],
    ]);
    const retired = registry(...events, [310, 'signer.retired', { signer_kid: 'a1', retiredAt: day(310) }]);
    expect(ages(retired, 700)).toEqual([['a2', 400, true]]);
  });
});
