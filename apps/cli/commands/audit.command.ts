import { type Command } from 'commander';
import { addAuditExport } from './audit-export';
import { addAuditVerify } from './audit-verify';

export function addAudit(program: Command): void {
  const audit = program.command('audit').summary('check the chain, or take it away');
  addAuditVerify(audit);
  addAuditExport(audit);
}
