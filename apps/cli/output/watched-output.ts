let failed = false;

/** Whether something that was printed could not be written. */
export function outputFailed(): boolean {
  return failed;
}

/**
 * Keeps the process alive when its output cannot be written (a full disk, a reader that is gone): what it does goes on, and
 * its exit code says that not all of its answer arrived.
 */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // It comes again with each line.
    if (failed) return;
    failed = true;
    process.exitCode = 1;
    // The reader has what it wanted, as `head` does.
    if (error.code !== 'EPIPE')
      process.stderr.write(`kernel: standard output cannot be written (${error.code})\n`);
  });
  // There is nothing left to say it to.
  process.stderr.on('error', () => undefined);
}
