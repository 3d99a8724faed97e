import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { EvidenceError, type LogPolicy, parseLogPolicy } from '#evidence';
import { UsageError } from './usage.error';

/** Largest file that an option is read from: far above every format's own bound, and far below what hurts. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024;

/**
 * The bytes of a file that an option names.
 * @throws UsageError when it cannot be read, or is so large that it is something else
 */
export function readInput(option: string, path: string): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { size } = fstatSync(file);
    if (size > MAX_INPUT_BYTES) {
      throw new UsageError(`${option} ${path}: it has ${size} bytes; at most ${MAX_INPUT_BYTES} are read.`);
    }
    return readFileSync(file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${option} ${path}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The text of a file; what is not UTF-8 in it is replaced, so that what it says does not verify. */
export function readTextInput(option: string, path: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(readInput(option, path));
}

/** `--policy FILE`: a c2sp.org/tlog-policy. @throws UsageError */
export function readPolicyOption(path: string): LogPolicy {
  const bytes = readInput('--policy', path);
  try {
    return parseLogPolicy(bytes);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UsageError(`--policy ${path}: ${error.message}`);
  }
}
