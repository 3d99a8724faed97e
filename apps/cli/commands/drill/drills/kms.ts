import { type Signers } from '#openapi/kernel';
import { type Drill } from '../drill';
import { DrillFault } from '../drill-fault';
import { type DrillRun } from '../drill-run';

/** How long a write may wait for a signer that does not answer, before it is refused. */
const REFUSED_WITHIN_MS = 60_000;
const BACK_WITHIN_MS = 60_000;

/** The signing proxy, and with it the HSM or KMS, does not answer; then a key is gone for good. */
export const kmsDrill: Drill = {
  name: 'kms',
  summary: 'the signer does not answer; then its audit key is gone for good',
  runbook: 'kms-unavailable',
  practise: async (run) => {
    const { kernel } = run;
    await run.fault('the signing proxy stops answering (SIGSTOP)', async () =>
      kernel.signal('signing-proxy', 'SIGSTOP'),
    );
    await run.step('writes are refused', () => run.writer.untilRefused(REFUSED_WITHIN_MS));
    await run.step('reads go on', async () => {
      await kernel.succeeds(['audit', 'find', '--limit', '1']);
      await kernel.succeeds(['keys', 'list']);
    });
    await run.step('fail over to read-only, so that callers are told at once', async () => {
      await kernel.succeeds(['mode', 'read-only', '--reason', 'drill: the signer is away', '--yes']);
      await kernel.refuses(['sign', await manifestFile(run)], 'read_only');
    });
    await run.step('the signer is back (SIGCONT)', async () => kernel.signal('signing-proxy', 'SIGCONT'));
    await run.step('let the kernel write again', async () => {
      await kernel.succeeds(['mode', 'normal', '--reason', 'drill: the signer is back', '--yes']);
      await run.writer.untilAcknowledged(3, BACK_WITHIN_MS);
    });
    await emergencyKey(run);
  },
};

/** Replaces the audit key in force by one that waits in the signer, and shows what a reader needs from then on. */
export async function emergencyKey(run: DrillRun): Promise<void> {
  const { kernel } = run;
  const after = kernel.file('signers-after.json');
  const before = await run.step('the trust root of today', () => kernel.signers('signers-before.json'));
  const lost = await run.step('the audit key in force', () => auditKeyOf(run));
  await run.step('a new key waits in the signer', async () => {
    await kernel.succeeds(['keys', 'create', '--purpose', 'audit']);
  });
  const since = new Date().toISOString();
  await run.fault(`${lost} is lost: replace it`, async () => {
    await kernel.succeeds([
      ...['keys', 'compromise', lost, '--since', since, '--reason', 'drill', '--yes'],
      ...['--out', after, '--list', kernel.file('events-in-doubt.ndjson')],
    ]);
    await run.writer.untilAcknowledged(3, BACK_WITHIN_MS);
  });
  const next = await run.step('another key signs', async () => {
    const now = await auditKeyOf(run);
    if (now === lost) throw new DrillFault(`${lost} is still the key in force`);
    return now;
  });
  await run.step('the old trust root does not believe the new key', () =>
    kernel.refuses(['audit', 'verify', '--signers', before], next),
  );
  await run.step('the new trust root does', async () => {
    await kernel.succeeds(['audit', 'verify', '--signers', after]);
  });
}

/** The audit key in force. */
async function auditKeyOf({ kernel }: DrillRun): Promise<string> {
  const { stdout } = await kernel.succeeds(['keys', 'list', '--json']);
  const { signers } = JSON.parse(stdout) as Signers;
  const inForce = signers.filter(({ status, purposes }) => status === 'active' && purposes.includes('audit'));
  const [key] = inForce;
  if (key === undefined || inForce.length > 1) {
    throw new DrillFault(`${inForce.length} audit keys are active; there should be one`);
  }
  return key.signer_kid;
}

async function manifestFile({ kernel }: DrillRun): Promise<string> {
  return kernel.write('manifest.json', { id: 'drill', version: '1.0.0', kind: 'agent' });
}
