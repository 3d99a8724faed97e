import { readFileSync } from 'node:fs';
import { ConfigError } from '#platform/process';
import { RowKey } from '#platform/event-store';

/** Reads KERNEL_ROW_KEY_FILE. @throws ConfigError that never shows the key */
export function readRowKey(file: string, origin: string): RowKey {
  try {
    return RowKey.parse(readFileSync(file, 'utf8'), origin);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError('invalid_configuration', [
      { member: 'KERNEL_ROW_KEY_FILE', problem: error.message },
    ]);
  }
}
