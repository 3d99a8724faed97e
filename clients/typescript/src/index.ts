/** Client of the kernel's service API (docs/integrating.md). */
export { KernelClient, type AppendedEvent, type EventFilters, type NewEvent } from './kernel-client';
export { type KernelClientOptions } from './options';
export { KernelError } from './kernel-error';
export { type RetryOptions } from './retrying-fetch';
export { verifyEvent, verifySignature, type Verification } from './verify';
export { type components, type operations, type paths } from '#openapi/kernel';
