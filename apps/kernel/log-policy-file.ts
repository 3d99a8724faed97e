import { readFileSync } from 'node:fs';
import { EvidenceError, type LogTrust, logTrustOf, parseLogPolicy } from '#evidence';
import { ConfigError } from '#platform/process';

/** Reads KERNEL_LOG_POLICY_FILE for what signers.json says of the log. @throws ConfigError */
export function readLogTrust(file: string | undefined): LogTrust | undefined {
  if (file === undefined) return undefined;
  try {
    return logTrustOf(parseLogPolicy(readFileSync(file)));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new ConfigError('invalid_configuration', [
      { member: 'KERNEL_LOG_POLICY_FILE', problem: `cannot be told to verifiers: ${error.message}` },
    ]);
  }
}
