import { availableParallelism } from 'node:os';

/** A single thread would leave none for the disk while it looks up a name. */
const FEWEST_THREADS = 2;

/**
 * Gives libuv's thread pool one thread per core; call it before the pool is used. UV_THREADPOOL_SIZE in the environment
 * wins. With libuv's own four on two cores the computing threads take turns with the one that reads and answers
 * requests, which then waits for up to 3 ms.
 */
export function sizeThreadPool(): void {
  const threads = Math.max(FEWEST_THREADS, availableParallelism());
  // eslint-disable-next-line no-restricted-properties -- not configuration of ours: libuv reads it from the environment
  process.env['UV_THREADPOOL_SIZE'] ??= String(threads);
}
