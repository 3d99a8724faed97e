import { setTimeout as delay } from 'node:timers/promises';
import { type TestStack } from '#dev/testing';
import { ScriptedBackend, startScriptedProxy } from '../../faults/scripted-proxy';

export interface SlowSigner {
  /** Signatures so far. */
  readonly signatures: number;
  stop(): Promise<void>;
}

/**
 * Takes the place of a stack's signing proxy with one whose keys give so many signatures a second, one after the other, as a
 * small HSM or a KMS within its quota does.
 */
export async function startSlowSigner(stack: TestStack, perSecond: number): Promise<SlowSigner> {
  const backend = await ScriptedBackend.open(stack);
  let signatures = 0;
  let free = performance.now();
  backend.instead = async (sign, kid, messages) => {
    const now = performance.now();
    free = Math.max(free, now) + (messages.length * 1_000) / perSecond;
    await delay(free - now);
    signatures += messages.length;
    return sign(kid, messages);
  };
  await stack.signingProxy.stop();
  const proxy = await startScriptedProxy(stack, backend);
  return {
    get signatures() {
      return signatures;
    },
    async stop() {
      await proxy.close();
      await stack.signingProxy.start();
    },
  };
}
