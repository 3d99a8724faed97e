/** What to throw when the time is over. */
export type Late = (ms: number) => Error;

/**
 * The answer, if it comes in time; what comes later is let go, whatever it is.
 * @throws what `late` makes, and what the answer rejects with
 */
export function answerWithin<T>(ms: number, late: Late, answer: Promise<T>): Promise<T> {
  return raced(ms, late, answer);
}

/**
 * The same for work that can be told to stop: its signal is aborted, with the same error, when the time is over.
 * @param outer ends the work too
 */
export async function stopAfter<T>(
  ms: number,
  late: Late,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const deadline = new AbortController();
  const signal = outer === undefined ? deadline.signal : AbortSignal.any([outer, deadline.signal]);
  return raced(ms, late, work(signal), (error) => deadline.abort(error));
}

async function raced<T>(
  ms: number,
  late: Late,
  answer: Promise<T>,
  stop?: (error: Error) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = late(ms);
      // First: what the work says of being stopped is not the reason.
      reject(error);
      stop?.(error);
    }, ms);
  });
  try {
    return await Promise.race([answer, over]);
  } finally {
    clearTimeout(timer);
  }
}
