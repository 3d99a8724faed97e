/**
 * Lets callers record events in the chain, list, export and hold them, and ask what an event rests on. The chain is kept
 * by libs/platform/event-store; what verifies it is apps/auditor in a running system and apps/audit-verify offline.
 */
export { AuditModule } from './audit.module';
export { AuditError } from './domain/audit.error';
