import { existsSync } from 'node:fs';
import { describeWith } from './describe-with';

/** Where Debian's package has it, by the machine's architecture. */
const LIBRARY = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketime.so.1`;

/** A suite that needs libfaketime (describeWith). */
export function describeWithFaketime(name: string, suite: () => void): void {
  const missing = existsSync(LIBRARY) ? null : `there is no ${LIBRARY} (Debian: apt-get install faketime)`;
  describeWith({ missing }, name, suite);
}

/**
 * Variables of a process whose clock is that far from the machine's (`+1h`, `-90s`). Only the time of day: what it
 * measures, and the times of its files, stay as they are.
 */
export function clockApart(by: string): Readonly<Record<string, string>> {
  return { LD_PRELOAD: LIBRARY, FAKETIME: by, FAKETIME_DONT_FAKE_MONOTONIC: '1', NO_FAKE_STAT: '1' };
}
