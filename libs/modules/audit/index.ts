export { AuditModule } from './audit.module';
export { AuditError, type AuditErrorCode } from './domain/audit.error';
export { type LegalHold, LegalHoldList } from './legal-hold-list';
