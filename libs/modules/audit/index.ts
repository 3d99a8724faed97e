/** The API to the chain: callers record events here, list and export them, hold them, and ask what rests on what. What re-verifies the chain is apps/auditor (a running system) and apps/audit-verify (offline). */
export { AuditModule } from './audit.module';
export { AuditError, type AuditErrorCode } from './domain/audit.error';
