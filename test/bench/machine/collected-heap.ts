/** Memory that a Node.js process holds after a full garbage collection, in bytes. */
export interface CollectedHeap {
  /** JavaScript objects. */
  heap: number;
  /** Buffers, and what else native code keeps for JavaScript objects. */
  external: number;
}

/** NODE_OPTIONS of a process whose heap is to be inspected; the address is then in its log. */
export const INSPECTED = '--inspect=127.0.0.1:0';

const TIMEOUT_MS = 10_000;

/**
 * Collects the garbage of another process over the inspector protocol and returns what is left. What a resident set has
 * beyond that is fragmentation, and memory that V8 and the allocator keep for later.
 *
 * @param log what the process has written since it was started with {@link INSPECTED}
 */
export async function collectedHeap(log: string): Promise<CollectedHeap> {
  const url = log.match(/Debugger listening on (ws:\S+)/)?.[1];
  if (url === undefined) throw new Error('the process was not started with an inspector');
  const socket = new WebSocket(url);
  const answers = new Map<number, (result: unknown) => void>();
  let id = 0;
  const ask = async (method: string, params: object = {}): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => reject(new Error(`${method} was not answered`)), TIMEOUT_MS);
    answers.set((id += 1), resolve);
    socket.send(JSON.stringify({ id, method, params }));
    return promise.finally(() => clearTimeout(timer));
  };
  socket.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (answer.id !== undefined) answers.get(answer.id)?.(answer.result);
  });
  try {
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error('the inspector does not answer')), {
        once: true,
      });
    });
    // The second one collects what the finalizers of the first have released.
    await ask('HeapProfiler.collectGarbage');
    await ask('HeapProfiler.collectGarbage');
    const { result } = (await ask('Runtime.evaluate', {
      expression: 'process.memoryUsage()',
      returnByValue: true,
    })) as { result: { value: { heapUsed: number; external: number } } };
    return { heap: result.value.heapUsed, external: result.value.external };
  } finally {
    socket.close();
  }
}
