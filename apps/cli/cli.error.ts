export type CliErrorCode =
  'wrong_usage' | 'not_running' | 'refused' | 'unreachable' | 'file_problem' | 'failed';

/** Ends the command; the message is for the person who typed it. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly code: CliErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
  }
}
