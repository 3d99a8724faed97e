export { AuditModule } from './audit.module';
export { AuditError, type AuditErrorCode } from './domain/audit.error';
export { divisionOf } from './domain/event-division';
