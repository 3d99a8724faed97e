import { type KernelMode } from '#modules/modes';
import { type KernelApiClient } from '../../api/kernel-api.client';
import { say } from '../../output/print';

const PATH = '/kernel/admin/mode';
const REASON = /^The index is rebuilt by replay; then (normal|read-only) again\.$/;
const reasonFor = (before: KernelMode): string => `The index is rebuilt by replay; then ${before} again.`;

type Api = Pick<KernelApiClient, 'getJson' | 'post'>;

/**
 * Does the work while the kernel is in safe-mode, and restores the mode of before only when the work has succeeded. The
 * safe-mode of an interrupted run is continued; a safe-mode that a person entered is for a person to leave.
 */
export async function inSafeMode<T>(api: Api, work: () => Promise<T>): Promise<T> {
  const before = await enter(api);
  let done: T;
  try {
    done = await work();
  } catch (error) {
    say('the kernel stays in safe-mode; run the replay again, or leave it with ./kernel mode');
    throw error;
  }
  if (before !== null) {
    await change(api, before, 'The index was rebuilt and verified.');
    say(`the kernel is in mode ${before} again`);
  }
  return done;
}

/** The mode to go back to; null when that is not for us to say. */
async function enter(api: Api): Promise<KernelMode | null> {
  const { mode, reason } = await api.getJson<{ mode: KernelMode; reason: string }>(PATH);
  if (mode === 'safe-mode') return (REASON.exec(reason)?.[1] as KernelMode | undefined) ?? null;
  await change(api, 'safe-mode', reasonFor(mode));
  say('the kernel is in safe-mode');
  return mode;
}

async function change(api: Api, mode: KernelMode, reason: string): Promise<void> {
  await api.post(PATH, JSON.stringify({ mode, reason }));
}
