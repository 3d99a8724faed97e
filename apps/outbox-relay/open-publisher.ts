import { type AuditStreamPublisher } from '#libs/audit-stream';

/** Over PostgreSQL nothing is copied: the cursor itself publishes, because consumers read the store up to it. */
export function openPublisher(): AuditStreamPublisher {
  const nothing = (): Promise<void> => Promise.resolve();
  return { prepare: nothing, publish: nothing, check: nothing, close: nothing };
}
