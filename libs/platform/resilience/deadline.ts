/** Makes the error to throw when the time is over. */
export type Late = (ms: number) => Error;

/**
 * Returns the answer, if it comes in time; ignores any later outcome.
 * @throws the error of `late`, or that of the answer
 */
export function answerWithin<T>(ms: number, late: Late, answer: Promise<T>): Promise<T> {
  return raced(ms, late, answer);
}

/**
 * Does the same for work that can be told to stop: aborts its signal, with the same error, when the time is over.
 * @param outer also ends the work
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
      // First: the error of the stopped work is not the reason.
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
