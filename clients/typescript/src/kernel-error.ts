/** A refusal of the kernel: RFC 9457 problem details. */
export class KernelError extends Error {
  override readonly name = 'KernelError';

  constructor(
    readonly status: number,
    /** The word to act on, such as `forbidden` or `idempotency_mismatch`. */
    readonly error: string,
    detail: string,
    /** Under which the kernel's log explains a 5xx. */
    readonly errorId: string | undefined,
    /** All members of the answer. */
    readonly problem: Readonly<Record<string, unknown>>,
  ) {
    super(detail);
  }

  /** @param body of an answer that is no success, parsed where it could be */
  static of(status: number, body: unknown): KernelError {
    const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
    const text = (name: string): string | undefined => {
      const value = problem[name];
      return typeof value === 'string' ? value : undefined;
    };
    const detail = text('detail') ?? `The kernel answered ${status} without saying why.`;
    return new KernelError(status, text('error') ?? 'unknown', detail, text('error_id'), problem);
  }
}
