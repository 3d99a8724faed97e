import { type HttpAnswer, withStack } from '#dev/testing';
import { type Head } from '#openapi/kernel';
import { expectSoundChain } from './chain';
import { problemFaults } from './ledger';
import { ScriptedBackend, startScriptedProxy } from './scripted-proxy';
import { until } from './until';

const KERNELS = [0, 1];
const KIDS = ['kernel-audit-ed25519-v1', 'kernel-manifest-ed25519-v1'];

describe.each([{ shards: 1 }, { shards: 3 }])(
  'two kernels on an empty chain of $shards shard(s)',
  ({ shards }) => {
    const stack = withStack({
      kernels: KERNELS.length,
      shards,
      idle: ['signing-proxy'],
      // Signatures that are held below must wait, not be abandoned.
      kernelVariables: { KMS_TIMEOUT_MS: '10000' },
    });
    let writes = 0;

    it('answer reads and refuse writes while there is no signing proxy', async () => {
      for (const kernel of KERNELS) {
        const auditor = stack().client('AUDITOR', { kernel });
        const heads = (await auditor.get('/kernel/audit/head')).json as Head[];
        expect(heads.map(({ shard, seq }) => [shard, seq])).toEqual(
          Array.from({ length: shards }, (_, shard) => [shard, 0]),
        );
        expect((await auditor.get('/kernel/audit')).json).toEqual({ events: [], nextCursor: null });
        expect((await auditor.get('/kernel/keys/signers.json')).json).toMatchObject({ signers: [] });
        expect((await auditor.get('/kernel/audit/export')).text).toBe('');
        expectSigningUnavailable(await write(kernel));
        expect(await notReady(kernel)).toContain('signing_proxy');
      }
    });

    it('register each key once when both are about to at the same moment', async () => {
      const pids = stack().kernels.map(({ process }) => process.current?.pid);
      const backend = await ScriptedBackend.open(stack());
      // Each has found the chain empty and its registration numbered before the first of them is signed.
      let registering = 0;
      const bothRegister = Promise.withResolvers<void>();
      backend.instead = async (sign, kid, messages) => {
        registering += 1;
        if (registering === KERNELS.length) bothRegister.resolve();
        await bothRegister.promise;
        return sign(kid, messages);
      };
      const proxy = await startScriptedProxy(stack(), backend);
      try {
        await stack().whenReady();
        expect(registering).toBeGreaterThanOrEqual(KERNELS.length);
        const { events, signers } = await expectSoundChain(stack());
        expect(events.map(({ type, stream }) => `${type} ${stream}`).sort()).toEqual(
          [
            'approver_pool.registered approver_pool/kernel',
            'kernel.founded kernel/founding',
            ...KIDS.map((kid) => `signer.added signer/${kid}`),
          ].sort(),
        );
        expect(signers.map(({ signer_kid, public_key_pem }) => [signer_kid, public_key_pem]).sort()).toEqual(
          backend.keys().map(({ kid, publicKeyPem }) => [kid, publicKeyPem]),
        );
        for (const kernel of KERNELS) expectDone(await write(kernel));
        expect(stack().kernels.map(({ process }) => process.current?.pid)).toEqual(pids);
      } finally {
        await proxy.close();
      }
    });

    it('record nothing by a signing proxy that has other keys of the same names', async () => {
      const before = await heads();
      const proxy = await startScriptedProxy(stack(), await ScriptedBackend.open(stack(), 'other-keys'));
      try {
        // One learns of it from the first signature, the other when it starts.
        const [running, restarted] = stack().kernels;
        expectSigningUnavailable(await write(0));
        expect(running?.process.state).toBe('running');
        await restarted?.process.stop();
        await restarted?.process.start();
        for (const kernel of KERNELS) {
          await until('/ready says why', async () =>
            (await notReady(kernel)).includes('none of which is an active registered key'),
          );
          expectSigningUnavailable(await write(kernel));
        }
        expect(await heads()).toEqual(before);
      } finally {
        await proxy.close();
      }
      await stack().signingProxy.start();
      await stack().whenReady();
      for (const kernel of KERNELS) expectDone(await write(kernel));
      const { events } = await expectSoundChain(stack());
      // The stack's own proxy has a checkpoint key too: whether that is registered by now does not matter here.
      const added = events.filter(({ type }) => type === 'signer.added').map(({ stream }) => stream);
      expect(added.filter((stream) => stream !== 'signer/kernel-checkpoint-ed25519-v1').sort()).toEqual(
        KIDS.map((kid) => `signer/${kid}`),
      );
    });

    async function write(kernel: number): Promise<HttpAnswer> {
      const client = stack().client('OPERATOR', { kernel, connections: 1 });
      const answer = await client.post('/kernel/sign', { manifest: { id: `first-${writes++}` } });
      await client.close();
      return answer;
    }

    async function heads(): Promise<string> {
      return (await stack().client('AUDITOR').get('/kernel/audit/head')).text;
    }

    async function notReady(kernel: number): Promise<string> {
      const ready = await stack().management('/ready', kernel);
      expect((await stack().management('/health', kernel)).status).toBe(200);
      return ready.status === 503 ? ready.text : '';
    }
  },
);

function expectDone(answer: HttpAnswer): void {
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
}

function expectSigningUnavailable(answer: HttpAnswer): void {
  expect([answer.status, answer.text]).toEqual([
    503,
    expect.stringContaining('"error":"signing_unavailable"'),
  ]);
  expect(problemFaults(answer)).toEqual([]);
}
