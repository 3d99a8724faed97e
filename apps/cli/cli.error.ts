import { CodedError } from '#evidence';

export type CliErrorCode =
  'wrong_usage' | 'not_running' | 'refused' | 'unreachable' | 'file_problem' | 'failed';

/** Ends the command; the message is for the person who typed it. */
export class CliError extends CodedError<CliErrorCode> {}
