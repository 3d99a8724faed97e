import fc from 'fast-check';
import { type JsonObject } from '#evidence';
import { DivisionStory } from '../fixtures/division-story.fixture';
import { refusalOf } from '../fixtures/refusal.fixture';
import { balances } from './account';

function storyWith(budget: JsonObject[string]): DivisionStory {
  const story = new DivisionStory({ id: 'p', budget });
  story.spawn('a');
  story.spawn('b');
  return story;
}

describe('an allocation', () => {
  it('comes from one budget for everything', () => {
    const story = storyWith(10);
    story.allocate('a', 'gpu', 4);
    story.allocate('b', 'cpu', 5.5);
    expect(refusalOf(() => story.allocate('a', 'gpu', 0.501))).toMatchObject({
      code: 'over_budget',
      message: 'The budget is 10, of which 9.5 are allocated: 0.5 are left, 0.501 were asked for.',
      details: { pool: null, budget: 10, allocated: 9.5, available: 0.5, requested: 0.501 },
    });
    story.allocate(null, 'cpu', 0.5);
    expect(balances(story.account, story.division.budget)).toEqual([
      { pool: null, budget: 10, allocated: 10, available: 0 },
    ]);
  });

  it('comes from the budget of its pool', () => {
    const story = storyWith({ gpu: 2, eur: 100 });
    story.allocate('a', 'gpu', 2);
    expect(refusalOf(() => story.allocate('b', 'gpu', 1))?.details).toMatchObject({
      pool: 'gpu',
      available: 0,
    });
    story.allocate('b', 'eur', 100);
    expect(refusalOf(() => story.allocate('b', 'disk', 1))).toMatchObject({
      code: 'over_budget',
      details: { pool: 'disk', budget: 0, available: 0 },
    });
  });

  it('is refused where there is no budget', () => {
    const story = new DivisionStory({ id: 'p' });
    expect(refusalOf(() => story.allocate(null, 'default', 0.001))?.code).toBe('over_budget');
  });

  it('adds up exactly', () => {
    const story = storyWith(0.3);
    for (let n = 0; n < 3; n++) story.allocate('a', 'eur', 0.1);
    expect(balances(story.account, story.division.budget)).toMatchObject([{ allocated: 0.3, available: 0 }]);
  });

  it('is released by who holds it, no further than they hold it', () => {
    const story = storyWith(10);
    story.allocate('a', 'gpu', 4);
    for (const [agent, pool, delta] of [
      ['b', 'gpu', -1],
      [null, 'gpu', -1],
      ['a', 'cpu', -1],
      ['a', 'gpu', -4.001],
    ] as const) {
      expect(refusalOf(() => story.allocate(agent, pool, delta))?.code).toBe('nothing_to_release');
    }
    story.allocate('a', 'gpu', -1);
    expect(story.chain.at(-1)).toMatchObject({
      type: 'allocation.released',
      payload: { delta: -1, held: 3, holder: 'agent/a' },
    });
    story.allocate('a', 'gpu', -3);
    expect(story.account.held.size).toBe(0);
    // A released amount can be granted again.
    story.allocate('b', 'gpu', 10);
  });

  it.each([0, 0.0001, 1e13, Number.NaN])('of %d is none', (delta) => {
    expect(refusalOf(() => storyWith(10).allocate('a', 'gpu', delta))?.code).toBe('invalid_amount');
  });

  it('is granted in an active division to an agent that is not retired, and released always', () => {
    const story = storyWith(10);
    story.allocate('a', 'gpu', 4);
    story.lead('b', 'retired');
    expect(refusalOf(() => story.allocate('b', 'gpu', 1))?.code).toBe('agent_retired');
    story.update({ id: 'p', budget: 10, status: 'paused' });
    expect(refusalOf(() => story.allocate('a', 'gpu', 1))?.code).toBe('division_not_active');
    story.allocate('a', 'gpu', -4);
  });

  it('uses a bounded number of pools', () => {
    const story = storyWith(1_000);
    for (let n = 0; n < 256; n++) story.allocate('a', `pool-${n}`, 1);
    expect(refusalOf(() => story.allocate('a', 'pool-256', 1))?.code).toBe('too_many_pools');
    story.allocate('a', 'pool-7', 1);
    story.allocate('a', 'pool-9', -1);
    story.allocate('a', 'pool-256', 1);
  });
});

type Step =
  | { do: 'allocate'; who: 'a' | 'b' | null; pool: string; units: number }
  | { do: 'budget'; budget: JsonObject[string] }
  | { do: 'retire'; who: 'a' | 'b' }
  | { do: 'status'; status: string };

const pool = fc.constantFrom('gpu', 'cpu', 'eur');
const amount = fc.integer({ min: 0, max: 5_000 }).map((units) => units / 1_000);
const budget = fc.oneof(amount, fc.dictionary(pool, amount));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('allocate' as const),
      who: fc.constantFrom('a' as const, 'b' as const, null),
      pool,
      units: fc.integer({ min: -2_000, max: 2_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('budget' as const), budget }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retire' as const), who: fc.constantFrom('a', 'b') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('status' as const), status: fc.constantFrom('active', 'paused') }),
  },
);

/** Adds up the amounts of the events, in whole thousandths, without any of the code under test. */
class Books {
  readonly pools = new Map<string, Map<string, number>>();
  private read = 0;

  add(chain: DivisionStory['chain']): void {
    for (const { type, payload } of chain.slice(this.read)) {
      if (!type.startsWith('allocation.')) continue;
      const name = payload['pool'] as string;
      const holders = this.pools.get(name) ?? new Map<string, number>();
      const holder = payload['holder'] as string;
      const sum = (holders.get(holder) ?? 0) + Math.round((payload['delta'] as number) * 1_000);
      expect(sum).toBeGreaterThanOrEqual(0);
      expect(Math.round((payload['held'] as number) * 1_000)).toBe(sum);
      this.pools.set(name, holders.set(holder, sum));
    }
    this.read = chain.length;
  }

  sumOf(pool: string): number {
    return [...(this.pools.get(pool)?.values() ?? [])].reduce((sum, units) => sum + units, 0);
  }
}

describe('for any sequence of grants, releases, budgets and ends', () => {
  it('no budget is exceeded, nobody holds less than nothing, and the retired hold nothing', () => {
    let granted = 0;
    let refusedOver = 0;
    fc.assert(
      fc.property(budget, fc.array(step, { minLength: 20, maxLength: 80 }), (first, steps) => {
        const story = storyWith(first);
        let inForce: JsonObject[string] = first;
        let status = 'active';
        const books = new Books();
        for (const one of steps) {
          const refusal = refusalOf(() => {
            if (one.do === 'allocate') story.allocate(one.who, one.pool, one.units / 1_000);
            else if (one.do === 'retire') story.lead(one.who, 'retired');
            else if (one.do === 'budget') {
              story.update({ id: 'p', status, budget: one.budget });
              inForce = one.budget;
            } else {
              story.update({ id: 'p', status: one.status, budget: inForce });
              status = one.status;
            }
          });
          if (refusal?.code === 'over_budget') refusedOver++;
          if (one.do === 'allocate' && one.units > 0 && refusal === null) granted++;

          // A refused request has changed nothing that could be wrong now.
          if (refusal !== null) continue;
          books.add(story.chain);
          const names = [...books.pools.keys()];
          if (typeof inForce === 'number') {
            const total = names.reduce((sum, name) => sum + books.sumOf(name), 0);
            expect(total).toBeLessThanOrEqual(Math.round(inForce * 1_000));
          } else {
            const budgets = inForce as Record<string, number>;
            const over = names.filter((name) => books.sumOf(name) > Math.round((budgets[name] ?? 0) * 1_000));
            expect(over).toEqual([]);
          }
          for (const who of ['a', 'b']) {
            if (story.agent(who).state !== 'retired') continue;
            const held = [...books.pools.values()].map((holders) => holders.get(`agent/${who}`) ?? 0);
            expect(held.some((units) => units !== 0)).toBe(false);
          }
        }
      }),
      { numRuns: 200 },
    );
    // Sequences in which nothing was granted, or nothing refused, would show nothing.
    expect(granted).toBeGreaterThan(150);
    expect(refusedOver).toBeGreaterThan(150);
  });
});
