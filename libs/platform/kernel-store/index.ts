/**
 * Opens the event store and its index in the kernel's process: connections, metrics, and the providers for every
 * module. The store itself is libs/platform/event-store, which the workers open without Nest.
 */
export { IntegrityAlarm } from './integrity-alarm';
export { type PartitionState, PartitionWatch } from './partition-watch';
export { KernelStoreModule } from './kernel-store.module';
