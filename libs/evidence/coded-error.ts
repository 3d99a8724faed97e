/**
 * Base of every error that a caller is meant to tell apart. Each room has one class with a closed union of codes, which
 * is mapped once, at an edge (to HTTP, to exit codes); the message is for a person, `details` are for a program.
 */
export abstract class CodedError<Code extends string = string> extends Error {
  constructor(
    readonly code: Code,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}
