/**
 * Lets callers record events in the chain, list, export and hold them, and ask what an event rests on.
 * libs/platform/event-store keeps the chain; apps/auditor verifies it in a running system, apps/audit-verify offline.
 */
export { AuditModule } from './audit.module';
export { AuditError } from './domain/audit.error';
