import { type RetryOptions } from './retrying-fetch';

export interface KernelClientOptions {
  /** Such as https://kernel.example.com:8443 */
  readonly url: string;
  /** PEM: the authority of the kernel's certificate, the certificate of this caller, and its key. */
  readonly ca: string | Uint8Array;
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  readonly retry?: RetryOptions;
  /** Most connections; default 16. */
  readonly connections?: number;
}
