import { type UpgradeWithTimeline } from '#openapi/kernel';
import { type Drill } from '../drill';
import { DrillFault } from '../drill-fault';
import { type DrillRun } from '../drill-run';

const UPGRADE = 'drill-multisig';
/** Two of five can be reached when the change is needed; the others come later. */
const AT_HAND = [1, 2];
const LATER = [1, 3, 4];

/** The quorum cannot be had in time: an emergency, and its ratification by hand. */
export const multisigDrill: Drill = {
  name: 'multisig',
  summary: 'the quorum cannot be had in time; an emergency, ratified afterwards',
  runbook: 'multisig-failure',
  practise: async (run) => {
    const { kernel } = run;
    const file = await kernel.write('upgrade.json', {
      upgradeId: UPGRADE,
      type: 'code',
      target: 'drill',
      rationale: 'drill: a change that cannot wait',
    });
    await run.step('an upgrade is proposed', async () => {
      await kernel.succeeds(['upgrade', 'propose', file]);
    });
    await run.fault('only two of five approvers can be reached', async () => {
      for (const n of AT_HAND) await sign(run, 'approve', n);
    });
    await run.step('it cannot be applied', () => kernel.refuses(['upgrade', 'apply', UPGRADE], 'quorum'));
    await run.step('a SuperAdmin applies it in an emergency', async () => {
      await kernel.succeeds([
        ...['upgrade', 'emergency-apply', UPGRADE, '--as', 'superadmin'],
        ...['--reason', 'drill: three approvers cannot be reached', '--yes'],
      ]);
      return statusOf(run, 'emergency_applied');
    });
    await run.step('three approvers ratify it by hand', async () => {
      for (const n of LATER) await sign(run, 'ratify', n);
      return statusOf(run, 'ratified');
    });
    await run.step('its evidence is verified offline', async () => {
      const evidence = kernel.file('evidence.json');
      const signers = await kernel.signers('signers.json');
      await kernel.succeeds(['upgrade', 'evidence', UPGRADE, '--out', evidence]);
      const { code, stdout, stderr } = await kernel.verifies([
        ...['--upgrade', evidence, '--signers', signers],
      ]);
      if (code !== 0) throw new DrillFault(`tools/audit-verify.js: ${(stdout + stderr).trim()}`);
      return stdout.split('\n').find((line) => line.includes('verified')) ?? '';
    });
  },
};

async function sign({ kernel }: DrillRun, action: 'approve' | 'ratify', approver: number): Promise<void> {
  await kernel.succeeds(['upgrade', action, UPGRADE, '--as', `approver-${approver}`, '--yes']);
}

async function statusOf({ kernel }: DrillRun, expected: string): Promise<string> {
  const { stdout } = await kernel.succeeds(['upgrade', 'show', UPGRADE, '--json']);
  const { upgrade } = JSON.parse(stdout) as UpgradeWithTimeline;
  if (upgrade.status !== expected) {
    throw new DrillFault(`${UPGRADE} is ${upgrade.status}, and should be ${expected}`);
  }
  return upgrade.status;
}
