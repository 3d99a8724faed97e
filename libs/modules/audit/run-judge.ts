import { type AuditRun } from '#openapi/kernel';
import { type IntegrityAlarm } from '#platform/kernel-store';
import { type SignerSource } from '#platform/signer';
import { type AuditRunRow, judgeRun } from './domain/audit-run';

/** Says what recorded audits are worth by the keys that the chain has now, and tells operators of those that somebody forged. */
export class RunJudge {
  constructor(
    private readonly origin: string,
    private readonly signers: SignerSource,
    private readonly alarm: IntegrityAlarm,
  ) {}

  /** @throws EventStoreError `store_unavailable` when the keys cannot be read */
  async judge(rows: readonly AuditRunRow[]): Promise<AuditRun[]> {
    if (rows.length === 0) return [];
    // Fresh: a key that came after what is remembered may have sealed the newest.
    const signers = await this.signers.signers({ fresh: true });
    return rows.map((row) => {
      const run = judgeRun(row, { signers, origin: this.origin });
      if (run.seal === 'invalid') {
        this.alarm.raise({
          where: 'audit_run',
          message: `The row of kernel.audit_runs for ${run.id} is not what the auditor wrote. ${run.detail ?? ''}`,
        });
      }
      return run;
    });
  }
}
