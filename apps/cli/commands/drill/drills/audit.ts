import { setTimeout as delay } from 'node:timers/promises';
import { type Pipeline } from '#openapi/kernel';
import { KernelApiClient } from '../../../api/kernel-api.client';
import { type Drill } from '../drill';
import { DrillFault } from '../drill-fault';
import { type DrillRun } from '../drill-run';

const BACK_WITHIN_MS = 120_000;
const POLL_MS = 200;
/** Readers of the chain that stop in this drill, with their stage of the pipeline. */
const FOLLOWERS: Readonly<Record<string, string>> = { indexer: 'indexed', archiver: 'archived' };
/** While something writes all the while, the newest events are always on their way. */
const ON_THEIR_WAY = 5;

/** Events cannot be appended, then they do not get on. */
export const auditDrill: Drill = {
  name: 'audit',
  summary: 'the database fails, then index and archive fall behind, then the index is lost',
  runbook: 'audit-append-failures',
  practise: async (run) => {
    const { kernel } = run;
    await run.fault('PostgreSQL is killed (SIGKILL)', async () => kernel.signal('postgres', 'SIGKILL'));
    await run.step('the database recovers, and writes are acknowledged again', () =>
      run.writer.untilAcknowledged(3, BACK_WITHIN_MS),
    );
    await run.fault('indexer and archiver stop (SIGSTOP)', async () => {
      for (const follower of Object.keys(FOLLOWERS)) kernel.signal(follower, 'SIGSTOP');
    });
    await run.step('writes go on, and the copies fall behind', async () => {
      await run.writer.untilAcknowledged(4 * ON_THEIR_WAY, BACK_WITHIN_MS);
      return untilBehind(run, (behind) => behind > 2 * ON_THEIR_WAY, 'Nothing falls behind');
    });
    await run.step('they go on (SIGCONT) and catch up', async () => {
      for (const follower of Object.keys(FOLLOWERS)) kernel.signal(follower, 'SIGCONT');
      return untilBehind(run, (behind) => behind <= ON_THEIR_WAY, 'Index or archive is still behind');
    });
    await run.step('the index is rebuilt from the archive', async () => {
      await run.writer.stop();
      await untilBehind(run, (behind) => behind === 0, 'Index or archive is still behind');
      const signers = await kernel.signers('signers.json');
      const { stdout } = await kernel.succeeds([
        ...['replay', '--from', 'archive', '--to', 'index', '--signers', signers],
      ]);
      return stdout.trim().split('\n').at(-1) ?? '';
    });
  },
};

/** Waits until the one that is most behind, of index and archive, is as it should be. */
async function untilBehind(
  { kernel }: DrillRun,
  isSo: (events: number) => boolean,
  problem: string,
): Promise<string> {
  const client = new KernelApiClient(await kernel.connection('auditor'));
  try {
    for (const end = performance.now() + BACK_WITHIN_MS; ; await delay(POLL_MS)) {
      const { shards } = await client.getJson<Pipeline>('/kernel/audit/pipeline');
      const copies = shards.flatMap(({ stages }) =>
        stages.filter(({ stage }) => Object.values(FOLLOWERS).includes(stage)),
      );
      const most = Math.max(0, ...copies.map(({ events }) => events));
      if (isSo(most)) return most === 0 ? 'nothing is behind' : `${most} events behind`;
      if (performance.now() > end) {
        throw new DrillFault(`${problem} after ${BACK_WITHIN_MS / 1000} s: ${most} events behind`);
      }
    }
  } finally {
    await client.close();
  }
}
