import { sha256Hex } from '#evidence';
import { withStack } from '#dev/testing';
import { expectSoundChain } from '../faults/chain';
import { until } from '../faults/until';
import { append, forgedEvent, putBack, wellMade } from './database-fakes';
import { THIEVES } from './fake';
import { WITNESS_FAKES, WitnessedLog } from './live-key-fakes';
import { KEYS, LiveKernel } from './live-kernel';
import { checkpoint, manifestItem, publishGenuineLog } from './proxy-fakes';
import { fakesBy, LIVE_FAKES } from './suite';

const rows = <T extends { name: string; says: string }>(fakes: readonly T[]) =>
  fakes.map((fake) => [fake.name, fake.says, fake] as const);

/** Thieves of what a running system is made of. All of them come to the same kernel, one after the other. */
describe('a running kernel', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'log-publisher'],
    // Until then a thief has its certificate to themselves.
    idle: ['log-publisher'],
    kernelVariables: { LOG_LEVEL: 'error' },
  });
  let kernel: LiveKernel;
  beforeAll(async () => {
    kernel = new LiveKernel(stack());
    await kernel.prepare();
    await publishGenuineLog(kernel);
    await kernel.stopIndex();
  });
  afterAll(() => kernel.close());

  describe.each(Object.keys(THIEVES).filter((thief) => fakesBy(LIVE_FAKES, thief).length > 0))(
    'and a thief of %s',
    (thief) => {
      it.each(rows(fakesBy(LIVE_FAKES, thief)))(
        'has nothing accepted: %s (%s)',
        async (_name, says, fake) => {
          expect(await fake.present(kernel)).toContain(says);
        },
      );
    },
  );

  it('does for a DivisionLead in their own division what it refuses them elsewhere', async () => {
    const lead = kernel.as('DIVISION_LEAD');
    const manifest = { id: 'own', version: '1', kind: 'agent-template', division: 'product' };
    const signed = await lead.post('/kernel/sign', { manifest });
    expect(signed.status).toBe(200);
    const template = { auditId: (signed.json as { audit_id: string }).audit_id };
    const spawned = await lead.post('/kernel/agent', { divisionId: 'product', template });
    expect(spawned.status).toBe(201);
    const agentId = (spawned.json as { id: string }).id;
    expect((await lead.post('/kernel/allocate', { agentId, delta: 1, reason: 'x' })).status).toBe(200);
    expect((await lead.post('/kernel/division', { id: 'product', budget: 50, version: 1 })).status).toBe(200);
    expect((await lead.get(`/kernel/agent/${agentId}`)).status).toBe(200);
  });

  it('has a sound chain after all of it, and goes on', async () => {
    expect(await append(kernel)).toEqual([]);
    const { events } = await expectSoundChain(stack());
    expect(events.filter(({ type }) => type === 'thing.lied' || type === 'mode.changed')).toEqual([]);
  });

  /** The rows "Can still do" and "Who says so" of docs/security.md. */
  describe('what they can still do, and who says so', () => {
    const mode = '/kernel/admin/mode';
    const untilMode = (wanted: string) =>
      until(`the kernel is in ${wanted}`, async () => {
        const { json } = await kernel.as('SUPERADMIN').get(mode);
        return (json as { mode: string }).mode === wanted;
      });
    async function changeMode(to: string): Promise<void> {
      const { status } = await kernel.as('SUPERADMIN').post(mode, { mode: to, reason: 'looked into' });
      expect(status).toBe(200);
    }

    it('a SuperAdmin: an emergency, which is shown as unratified until approvers have ratified it', async () => {
      const { json } = await kernel.as('AUDITOR').get(`/kernel/upgrade/${kernel.story.emergency}`);
      expect((json as { upgrade: { status: string } }).upgrade.status).toBe('emergency_applied');
      await until('the metric says so', async () =>
        /^kernel_upgrades_unratified 1$/m.test((await stack().management('/metrics')).text),
      );
    });

    it("the kernel's certificate: a signature over the next event, whose digest the proxy has logged and no event has", async () => {
      const { signed } = await kernel.head();
      const lie = kernel.event(signed + 1);
      expect(await kernel.sign('kernel', lie)).toEqual([]);
      const input = Buffer.from(lie.input, 'base64').toString();
      await until('the proxy has logged it', async () =>
        (await stack().log('signing-proxy')).includes(sha256Hex(input)),
      );
      expect(await append(kernel)).toEqual([]);
      const { events } = await expectSoundChain(stack());
      expect(events.filter(({ hash }) => input.includes(hash))).toEqual([]);
    });

    it("the kernel's certificate: a signature over any manifest, which no event records", async () => {
      expect(await kernel.sign('kernel', manifestItem(kernel.origin))).toEqual([]);
      const { events } = await expectSoundChain(stack());
      const recorded = events.filter(({ stream }) => stream === 'manifest/release-7');
      expect(recorded).toEqual([]);
    });

    it("the publisher's certificate: something false behind the genuine log, at which the publisher stops", async () => {
      expect(await checkpoint(kernel, { by: 1, from: 0, lie: 'behind' })).toEqual([]);
      expect(await checkpoint(kernel, { by: 1, from: 0 })).toEqual(['checkpoint_conflict']);
      expect(await checkpoint(kernel, { by: 2, from: 1 })).toEqual(['invalid_consistency']);
      // The rows that were no events have stopped the relay; they are gone.
      const relay = stack().worker('outbox-relay');
      await relay.process.kill();
      await relay.process.start();
      const publisher = stack().worker('log-publisher');
      await publisher.process.start();
      await until('the publisher says so', async () => {
        const answer = await fetch(`${publisher.managementUrl}/ready`).catch(() => null);
        return answer?.status === 503 && (await answer.text()).includes('another root at size');
      });
      await publisher.process.kill();
    });

    it('an audit key and a database role: a genuine event, on which the proxy lets nobody build', async () => {
      const key = await kernel.stolen(KEYS.audit);
      const before = await kernel.refusals('position_ahead');
      const words = await forgedEvent(kernel, 'runtimeUrl', wellMade(kernel, key), () => append(kernel));
      expect(words).toEqual(['signing_unavailable']);
      expect(await kernel.refusals('position_ahead')).toBeGreaterThan(before);
      expect(await append(kernel)).toEqual([]);
    });

    it("the kernel's certificate: no more writes, by a later place in two requests, until an operator opens a window", async () => {
      const { seq, signed } = await kernel.head();
      for (const next of [signed + 1, signed + 2]) {
        expect(await kernel.sign('kernel', kernel.event(next))).toEqual([]);
      }
      expect(await append(kernel)).toEqual(['store_behind']);
      await untilMode('safe-mode');
      const operator = kernel.proxy('dev-superadmin');
      const opened = { shard: 0, seq, seconds: 60, reason: 'signatures that belong to no event' };
      expect((await operator.post('/v1/restore-windows', opened)).status).toBe(201);
      await changeMode('normal');
      expect(await append(kernel)).toEqual([]);
    });

    it("the owner's password: a database that was put back, which the proxy remembers otherwise", async () => {
      for (let i = 0; i < 3; i++) expect(await append(kernel)).toEqual([]);
      await putBack(kernel, (await kernel.head()).seq - 3);
      expect(await append(kernel)).toEqual(['store_behind']);
      await untilMode('safe-mode');
    });
  });
});

describe('a witness of the log, and a thief of checkpoint-key', () => {
  let log: WitnessedLog;
  beforeAll(async () => {
    log = await WitnessedLog.start();
  });
  afterAll(() => log.stop());

  it.each(rows(WITNESS_FAKES))('has nothing cosigned: %s (%s)', async (_name, says, fake) => {
    expect(await fake.present(log)).toContain(says);
  });

  it('cosigns the genuine log after all of it', async () => {
    expect(await log.ask(log.genuine, 300, 200)).toEqual([]);
  });
});
