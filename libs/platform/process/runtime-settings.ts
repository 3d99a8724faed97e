import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/** One alone would leave nothing for the disk while it looks up a name. */
const FEWEST_THREADS = 2;
/** To four times what is alive, which is as far as V8 itself ever goes. */
const HEAP_GROWING_PERCENT = 300;

/**
 * Lets the old generation, and buffers outside of the heap with it, grow to a multiple of what is alive before it is
 * collected. V8's own bound for a heap this small is 8 MB above: a kernel that holds 67 MB and leaves 18 MB of dead buffers
 * a second (requests, answers, TLS records) marked all of its heap twice in three seconds, and for 50 ms each time its
 * markers took the cores from those who serve requests. To be called when the process starts; V8 reads it after each
 * collection.
 */
export function growHeapFreely(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}

/**
 * Gives libuv's thread pool a thread a core; to be called before the pool is used. UV_THREADPOOL_SIZE in the environment wins.
 * With libuv's own four on two cores the threads that compute take turns with the one that reads requests and answers them,
 * which then waits for up to 3 ms.
 */
export function sizeThreadPool(): void {
  const threads = Math.max(FEWEST_THREADS, availableParallelism());
  // eslint-disable-next-line no-restricted-properties -- not configuration of ours: libuv reads it from the environment
  process.env['UV_THREADPOOL_SIZE'] ??= String(threads);
}
