import { CodedError } from '#evidence';

export type DevstackErrorCode =
  | 'already_running'
  | 'disk_full'
  | 'no_system_user'
  | 'no_write_permission'
  | 'port_in_use'
  | 'postgres_binaries_missing'
  | 'postgres_failed'
  | 'process_failed'
  | 'state_broken'
  | 'tool_missing'
  | 'unsupported_option';

/** What went wrong while the development stack was being run; the message is one sentence for a person. */
export class DevstackError extends CodedError<DevstackErrorCode> {}
