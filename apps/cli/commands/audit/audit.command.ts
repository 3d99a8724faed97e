import { type Command } from 'commander';
import { addAuditExport } from './audit-export';
import { addAuditFind } from './audit-find';
import { addAuditHold } from './audit-hold';
import { addAuditReceipt } from './audit-receipt';
import { addAuditRepair } from './audit-repair';
import { addAuditRun } from './audit-run';
import { addAuditRuns } from './audit-runs';
import { addAuditVerify } from './audit-verify';

export function addAudit(program: Command): void {
  const audit = program
    .command('audit')
    .summary(
      'check the chain and its copies, find events in it, export it, hold it, or prove that an event is in it',
    );
  addAuditVerify(audit);
  addAuditFind(audit);
  addAuditExport(audit);
  addAuditReceipt(audit);
  addAuditHold(audit);
  addAuditRun(audit);
  addAuditRuns(audit);
  addAuditRepair(audit);
}
