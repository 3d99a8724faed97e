import { type HttpAnswer, withStack } from '#dev/testing';
import { type ChangedMode, type Mode } from '#openapi/kernel';
import { ContractClient } from '../contract/contract.client';
import { expectSoundChain } from '../faults/chain';

const EVENT = { type: 'thing.changed', payload: { n: 1 } };
const MANIFEST = { manifest: { id: 'm-1', version: '1.0.0', kind: 'agent' } };
describe('modes', () => {
  const stack = withStack({ kernels: 2 });
  const caller = (name: 'SUPERADMIN' | 'OPERATOR' | 'AUDITOR' | 'NOROLE', kernel = 0): ContractClient =>
    new ContractClient(stack().client(name, { kernel }));

  async function change(mode: Mode, reason = 'a test', options = {}): Promise<ChangedMode> {
    const answer = await caller('SUPERADMIN').post('/kernel/admin/mode', { mode, reason }, options);
    expect(answer.status).toBe(200);
    return answer.json as ChangedMode;
  }

  async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const modeSeenBy = async (kernel: number): Promise<string> =>
    String((await caller('OPERATOR', kernel).get('/kernel/security/status')).headers['kernel-mode']);
  const everywhere = (mode: Mode): Promise<void> =>
    until(
      async () => (await modeSeenBy(0)) === mode && (await modeSeenBy(1)) === mode,
      `${mode} in both kernels`,
    );

  /** The changes in the chain, oldest first. */
  async function recorded(): Promise<
    { id: string; from: string; to: string; reason: string; actor: string }[]
  > {
    const chain = await expectSoundChain(stack());
    return chain.events
      .filter(({ type }) => type === 'mode.changed')
      .map(({ id, payload, actor }) => {
        const { from, to, reason } = payload as Record<string, string>;
        return { id, from: String(from), to: String(to), reason: String(reason), actor: actor.id };
      });
  }

  async function unrecorded(): Promise<number> {
    const { text } = await stack().management('/metrics');
    return Number(/^kernel_mode_changes_unrecorded (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  }

  const refusal = ({ status, headers, json }: HttpAnswer) => ({
    status,
    retryAfter: headers['retry-after'],
    error: (json as { error: string }).error,
  });

  it.each([
    ['read-only', 'read_only'],
    ['safe-mode', 'safe_mode'],
  ] as const)(
    '%s refuses every write in every kernel, lets reads go on, and is left again',
    async (mode, error) => {
      const entered = await change(mode, `to be ${mode}`);
      await everywhere(mode);
      for (const kernel of [0, 1]) {
        for (const [path, body] of [
          ['/kernel/audit', EVENT],
          ['/kernel/sign', MANIFEST],
        ] as const) {
          const answer = await caller('OPERATOR', kernel).post(path, body);
          expect(refusal(answer)).toEqual({ status: 503, retryAfter: '30', error });
          // Which, since when, by whom and why: the caller need not ask who runs the kernel.
          const by = expect.stringContaining('dev-superadmin') as string;
          expect(answer.json).toMatchObject({ mode, since: entered.since, by, reason: `to be ${mode}` });
          expect((answer.json as { detail: string }).detail).toMatch(
            new RegExp(
              `^The kernel is (in )?${mode} since ${entered.since}, by \\S*dev-superadmin: to be ${mode}\\. It `,
            ),
          );
        }
        expect((await caller('AUDITOR', kernel).get('/kernel/audit/head')).status).toBe(200);
        expect((await caller('AUDITOR', kernel).post('/kernel/audit', EVENT)).status).toBe(403);
        const status = await caller('NOROLE', kernel).get('/kernel/security/status');
        expect(status.json).toMatchObject({ mode, restoring: false });
        const ready = await stack().management('/ready', kernel);
        expect([ready.status, ready.text.includes(`"mode":"${mode}"`)]).toEqual([200, true]);
        const { text } = await stack().management('/metrics', kernel);
        expect(text).toContain(`kernel_mode{mode="${mode}"} 1`);
        expect(text).toContain('kernel_mode{mode="normal"} 0');
      }
      const left = await change('normal', 'done');
      await everywhere('normal');
      expect((await caller('OPERATOR', 1).post('/kernel/audit', EVENT)).status).toBe(201);
      const changes = await recorded();
      expect(changes.slice(-2)).toEqual([
        expect.objectContaining({ id: entered.auditId, from: 'normal', to: mode, reason: `to be ${mode}` }),
        expect.objectContaining({ id: left.auditId, from: mode, to: 'normal', reason: 'done' }),
      ]);
      expect(changes.at(-1)?.actor).toContain('superadmin');
    },
  );

  it('is for a SuperAdmin to change, with a reason, and the same request changes it once', async () => {
    const body = { mode: 'read-only', reason: 'x' };
    for (const name of ['OPERATOR', 'AUDITOR', 'NOROLE'] as const) {
      expect((await caller(name).post('/kernel/admin/mode', body)).status).toBe(403);
      expect((await caller(name).get('/kernel/admin/mode')).status).toBe(403);
    }
    for (const wrong of [
      { mode: 'read-only' },
      { mode: 'off', reason: 'x' },
      { mode: 'normal', reason: '' },
    ]) {
      expect((await caller('SUPERADMIN').post('/kernel/admin/mode', wrong)).status).toBe(400);
    }
    const before = (await recorded()).length;
    const first = await change('read-only', 'once', { idempotencyKey: 'mode-1' });
    expect(await change('read-only', 'once', { idempotencyKey: 'mode-1' })).toEqual(first);
    expect(await change('read-only', 'again')).toMatchObject({ auditId: null, position: null });
    await change('normal');
    expect((await recorded()).length).toBe(before + 2);
    const shown = await caller('SUPERADMIN').get('/kernel/admin/mode');
    expect(shown.json).toMatchObject({ mode: 'normal', reason: 'a test', restoring: false });
  });

  it('changes while nothing can be signed, and is recorded exactly once when something can', async () => {
    const before = (await recorded()).length;
    await stack().signingProxy.kill();
    const entered = await change('read-only', 'the HSM is away');
    expect(entered.position).toBeNull();
    await everywhere('read-only');
    // Read-only for this reason, the kernel is as ready as it can be.
    await until(async () => (await stack().management('/ready')).status === 200, 'ready');
    expect(await unrecorded()).toBe(1);
    const left = await change('normal', 'it is tried again');
    expect(left.position).toBeNull();
    await stack().signingProxy.start();
    await until(async () => (await unrecorded()) === 0, 'both changes are recorded');
    await stack().whenReady();
    const changes = (await recorded()).slice(before);
    expect(changes.map(({ id }) => id)).toEqual([entered.auditId, left.auditId]);
    expect(changes.map(({ from, to }) => `${from} > ${to}`)).toEqual([
      'normal > read-only',
      'read-only > normal',
    ]);
  });

  it('stays in force over a restart of every kernel', async () => {
    await change('safe-mode', 'to be kept');
    for (const { process } of stack().kernels) {
      await process.kill();
      await process.start();
    }
    await stack().whenReady();
    await everywhere('safe-mode');
    expect((await caller('OPERATOR').post('/kernel/sign', MANIFEST)).status).toBe(503);
    await change('normal');
    await everywhere('normal');
    expect((await caller('OPERATOR').post('/kernel/sign', MANIFEST)).status).toBe(200);
  });
});
