import { AsyncLocalStorage } from 'node:async_hooks';

/** Fields of every log line of a request, wherever in the program it is written. */
export interface LogContext {
  readonly requestId: string;
  readonly principalId?: string | undefined;
  readonly traceId?: string | undefined;
}

const storage = new AsyncLocalStorage<LogContext>();

/** Runs a function, and everything asynchronous that it starts, with the given context. */
export function runInLogContext<T>(context: LogContext, run: () => T): T {
  return storage.run(context, run);
}

export function logContext(): LogContext | undefined {
  return storage.getStore();
}
