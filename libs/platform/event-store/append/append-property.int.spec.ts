import fc from 'fast-check';
import { withPostgres } from '#dev/testing';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import {
  append,
  event,
  keyed,
  migrated,
  openStore,
  type OpenStore,
  type StoreDatabase,
  verifyChain,
  write,
} from '../fixtures/store.fixture';
import { type AppendResult } from '../event-store.types';

/** One request, and when it is made: after so many turns of the event loop, by one of three stores. */
interface Step {
  store: number;
  turns: number;
  writes: { stream: number; expected: 'any' | number; events: number }[];
  key: number | null;
  /** Its sign call fails, or its event is too large. */
  fault: 'none' | 'sign' | 'large';
}

const step: fc.Arbitrary<Step> = fc.record({
  store: fc.nat({ max: 2 }),
  turns: fc.nat({ max: 12 }),
  writes: fc.array(
    fc.record({
      stream: fc.nat({ max: 4 }),
      expected: fc.oneof(
        { weight: 3, arbitrary: fc.constant('any' as const) },
        { weight: 2, arbitrary: fc.nat({ max: 3 }) },
      ),
      events: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  key: fc.option(fc.nat({ max: 5 }), { freq: 2, nil: null }),
  fault: fc.constantFrom('none', 'none', 'none', 'none', 'none', 'none', 'sign', 'large'),
});

const postgres = withPostgres();

describe('whatever requests come in whatever order', () => {
  const signer = new InProcessSigner();
  let database: StoreDatabase & { drop(): Promise<void> };
  let stores: OpenStore[];
  let failSigning = 0;
  let round = 0;
  let total = 0;

  beforeAll(async () => {
    database = await migrated(postgres());
    const faulty = {
      activeKid: () => signer.kid,
      sign: async (kid: string, inputs: Uint8Array[]) => {
        if (failSigning > 0) {
          failSigning--;
          throw new Error('the signer is away');
        }
        return signer.sign(kid, inputs);
      },
    };
    // Small groups, so that a few requests make several.
    const limits = { maxGroupRequests: 4, maxGroupEvents: 6 };
    stores = await Promise.all(
      [1, 2, 3].map(() => openStore(database, { signer: faulty, limits, poolSize: 3 })),
    );
  });
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await database.drop();
  });

  async function make(
    step: Step,
    stream: (n: number) => string,
    key: (n: number) => string,
  ): Promise<AppendResult> {
    for (let turn = 0; turn < step.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (step.fault === 'sign') failSigning++;
    const payload = step.fault === 'large' ? { text: 'x'.repeat(65_500) } : { round };
    const request = append(
      ...step.writes.map(({ stream: n, expected, events }) =>
        write(stream(n), {
          expectedVersion: expected,
          events: Array.from({ length: events }, () => event(payload)),
        }),
      ),
    );
    const { store } = stores[step.store] as OpenStore;
    return store.append(
      step.key === null ? request : keyed(key(step.key), request, JSON.stringify(step.writes)),
    );
  }

  it('the chain verifies, and everyone was told the truth', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const mine = ++round;
        const stream = (n: number) => `round-${mine}/${n}`;
        const key = (n: number) => `${mine}-${n}`;
        const results = await Promise.allSettled(steps.map((one) => make(one, stream, key)));

        const committed = new Map<string, string>();
        const winners = new Map<number, { requestHash: string; body: string }>();
        for (const [index, result] of results.entries()) {
          const { writes, key: claim, fault } = steps[index] as Step;
          if (result.status === 'rejected') {
            const { code } = result.reason as { code: string };
            const possible = [
              'version_conflict',
              'signing_unavailable',
              'idempotency_mismatch',
              'event_too_large',
            ];
            expect(possible).toContain(code);
            if (code === 'event_too_large') expect(fault).toBe('large');
            continue;
          }
          const { value } = result;
          if (claim !== null) {
            const body = Buffer.from(value.answer?.body ?? []).toString('utf8');
            const winner = winners.get(claim);
            if (winner) expect({ requestHash: JSON.stringify(writes), body }).toEqual(winner);
            else winners.set(claim, { requestHash: JSON.stringify(writes), body });
          }
          if (value.replayed) continue;
          expect(fault).not.toBe('large');
          // Contiguous, in order, at the announced place, on top of the expected version.
          const [first] = value.events;
          let at = 0;
          for (const { stream: n, expected, events } of writes) {
            const own = value.events.slice(at, at + events);
            if (expected !== 'any') expect(own[0]?.event.streamVersion).toBe(expected + 1);
            expect(own.map(({ event }) => event.stream)).toEqual(own.map(() => stream(n)));
            at += events;
          }
          value.events.forEach(({ event: { id, seq, hash } }, n) => {
            expect(seq).toBe((first?.event.seq ?? 0) + n);
            committed.set(id, hash);
          });
        }
        // An answered key was committed once.
        const winning = results.filter(
          (result, index) =>
            result.status === 'fulfilled' && !result.value.replayed && steps[index]?.key !== null,
        );
        expect(winning).toHaveLength(winners.size);

        const { store } = stores[0] as OpenStore;
        const { faults, count } = await verifyChain(store, [signer.entry]);
        expect(faults).toEqual([]);
        total += committed.size;
        expect(count).toBe(total);
        for (let n = 0; n < 5; n++) {
          const events = await store.loadStream(stream(n));
          expect(events.map(({ event }) => event.streamVersion)).toEqual(events.map((_, i) => i + 1));
          for (const { event } of events) expect(committed.get(event.id)).toBe(event.hash);
        }
      }),
      // One chain for all runs: shrinking would count on a total that is no longer true.
      { numRuns: 40, endOnFailure: true },
    );
  });
});
