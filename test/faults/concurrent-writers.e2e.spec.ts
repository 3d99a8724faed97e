import { withStack } from '#dev/testing';
import { Callers } from './callers';
import { expectSoundChain } from './chain';
import { Ledger } from './ledger';
import { requestOfMix } from './load';

const WRITERS = 200;
const REQUESTS_EACH = 6;

describe.each([{ shards: 1 }, { shards: 3 }])(
  'two kernels on one database with $shards shard(s)',
  ({ shards }) => {
    // This tests the chain, however busy the machine is.
    const stack = withStack({ kernels: 2, shards, kernelVariables: { KMS_TIMEOUT_MS: '10000' } });

    it(`give ${WRITERS} concurrent writers one chain, without gap or fork`, async () => {
      const ledger = new Ledger();
      const callers = [
        await Callers.connect(stack(), WRITERS / 2, 0),
        await Callers.connect(stack(), WRITERS / 2, 1),
      ] as const;

      await Promise.all(
        Array.from({ length: WRITERS }, async (_, writer) => {
          for (let n = 0; n < REQUESTS_EACH; n += 1) {
            const request = requestOfMix(writer + n, `writer-${writer}-${n}`);
            // Alternating: each kernel builds on what the other has answered.
            const kernel = (writer + n) % 2 === 0 ? 0 : 1;
            await ledger.write(callers[kernel].of(writer), request, kernel);
          }
        }),
      );

      const unanswered = ledger.attempts.filter(({ outcome }) => outcome !== 'answered');
      expect(unanswered).toEqual([]);
      const chain = await expectSoundChain(stack());
      ledger.expectRecordedIn(chain, stack());
      const shardsUsed = new Set(chain.events.map(({ shard }) => shard));
      expect([...shardsUsed].sort()).toEqual(Array.from({ length: shards }, (_, shard) => shard));
      // Both kernels tell the same story.
      const other = await stack().client('AUDITOR', { kernel: 1 }).get('/kernel/audit/head');
      expect((other.json as { seq: number }[]).reduce((sum, { seq }) => sum + seq, 0)).toBe(
        chain.events.length,
      );
    });
  },
);
