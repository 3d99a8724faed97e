import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig, flag, loadConfig, wholeNumber } from '#platform/process';
import { type DevelopmentCaller } from '#dev/devstack';
import { withStack } from '#dev/testing';
import { expectSoundChain } from '../faults/chain';
import { describeWithSchemathesis, schemathesis } from './schemathesis/schemathesis';

const settings = defineConfig({
  NIGHTLY: { schema: flag(), description: '20,000 requests instead of 2,000.', default: false },
  FUZZ_SEED: {
    schema: wholeNumber({ min: 1, max: 2_147_483_647 }).optional(),
    description: 'Repeats an earlier run, which printed its seed when it failed.',
  },
});
const { nightly, fuzzSeed } = loadConfig(settings);
const seed = fuzzSeed ?? (nightly ? randomInt(1, 2 ** 31) : 1);
/** Most requests for each operation and caller; some operations have fewer different ones. */
const EXAMPLES = nightly ? 100 : 10;
const LEAST_REQUESTS = nightly ? 20_000 : 2_000;
jest.setTimeout(nightly ? 3_600_000 : 600_000);

/** Answers of this operation do not end; stream.e2e.spec.ts tests it. */
const ENDLESS = '^/kernel/audit/stream$';
/** Ends what the others rely on: the mode, and the keys that sign. They are tested alone, at the end. */
const DRASTIC =
  '/kernel/admin/mode|/kernel/keys/[^/]+/(compromise|retire)|/kernel/keys/rotate|/retire|/compromise';
const CALLERS: readonly DevelopmentCaller[] = [
  'NOROLE',
  'AUDITOR',
  'DIVISION_LEAD',
  'OPERATOR',
  'SUPERADMIN',
];

describeWithSchemathesis('requests made up from the OpenAPI document', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'] });
  let scratch: string;
  let requests = 0;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kernel-test-schemathesis-'));
  });
  afterAll(async () => {
    await rm(scratch, { recursive: true, force: true });
  });

  /** Answers by status, as the kernel counted them. */
  async function answered(): Promise<Map<string, number>> {
    const text = await (await fetch(`${stack().kernels[0]?.managementUrl}/metrics`)).text();
    const counts = new Map<string, number>();
    for (const [, labels = '', count] of text.matchAll(/^http_requests_total\{([^}]*)\} (\d+)$/gm)) {
      const status = /status="(\d+)"/.exec(labels)?.[1] ?? '';
      counts.set(status, (counts.get(status) ?? 0) + Number(count));
    }
    return counts;
  }

  async function expectAsDeclared(
    caller: DevelopmentCaller,
    paths: { exclude: string } | { include: string },
  ) {
    const run = await schemathesis(stack(), { caller, seed, examples: EXAMPLES, scratch, ...paths });
    requests += run.requests;
    if (run.code !== 0) throw new Error(`FUZZ_SEED=${seed}, as ${caller}:\n${run.output}`);
    expect(run.requests).toBeGreaterThan(0);
  }

  it.each(CALLERS)(`are answered as it declares, as %s (FUZZ_SEED=${seed})`, async (caller) => {
    await expectAsDeclared(caller, { exclude: `${DRASTIC}|${ENDLESS}` });
  });

  it(`are so too where they change the mode and the keys (FUZZ_SEED=${seed})`, async () => {
    await expectAsDeclared('OPERATOR', { include: DRASTIC });
    await expectAsDeclared('SUPERADMIN', { include: DRASTIC });
  });

  it('were as many as this run is for, and none failed', async () => {
    expect(requests).toBeGreaterThanOrEqual(LEAST_REQUESTS);
    const counts = await answered();
    const failed = [...counts].filter(([status]) => status.startsWith('5') && status !== '503');
    expect(failed).toEqual([]);
    // Most are refused as malformed; without some that are not, little was tested.
    expect((counts.get('200') ?? 0) + (counts.get('201') ?? 0)).toBeGreaterThan(LEAST_REQUESTS / 50);
  });

  it('leave a chain that verifies', async () => {
    await expectSoundChain(stack());
  });
});
