import { Worker } from 'node:worker_threads';
import { UsageError } from '../usage.error';
import { type Task } from './tasks';
import { type TaskResult, type InspectionSetup } from '../verdict/inspected/inspected-events';

export type WorkerAnswer =
  { ok: true; result: TaskResult } | { ok: false; usage: boolean; message: string; stack: string };

/** Tasks under way per worker: the next one is there when it is done with one, and memory stays bounded. */
const AHEAD = 4;

/** Left alone, V8 lets the garbage of each thread grow to a hundred megabytes; it is not faster for it. */
const LIMITS = { maxYoungGenerationSizeMb: 24 };

interface Waiting {
  resolve: (result: TaskResult) => void;
  reject: (error: Error) => void;
}

interface WorkerEntry {
  worker: Worker;
  /** Workers answer in the order they were asked. */
  waiting: Waiting[];
}

/** Worker threads that do tasks in parallel; results come in the order of the tasks. */
export class WorkerPool {
  private readonly entries: WorkerEntry[];
  private failure: Error | undefined;

  /** @param file this very program: a worker runs the same file */
  constructor(file: string, jobs: number, setup: InspectionSetup) {
    this.entries = Array.from({ length: jobs }, () => this.start(file, setup));
  }

  async *run(tasks: AsyncIterable<Task> | Iterable<Task>): AsyncGenerator<TaskResult> {
    const pending: Promise<TaskResult>[] = [];
    const limit = this.entries.length * AHEAD;
    for await (const task of tasks) {
      pending.push(this.submit(task));
      const first = pending.length >= limit ? pending.shift() : undefined;
      if (first !== undefined) yield await first;
    }
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) yield await next;
  }

  async close(): Promise<void> {
    await Promise.all(this.entries.map(({ worker }) => worker.terminate()));
  }

  private start(file: string, setup: InspectionSetup): WorkerEntry {
    const entry: WorkerEntry = {
      worker: new Worker(file, { workerData: setup, resourceLimits: LIMITS }),
      waiting: [],
    };
    const fail = (error: Error): void => {
      this.failure ??= error;
      for (const { reject } of entry.waiting.splice(0)) reject(error);
    };
    entry.worker.on('message', (answer: WorkerAnswer) => {
      const asked = entry.waiting.shift();
      if (answer.ok) asked?.resolve(answer.result);
      else if (answer.usage) asked?.reject(new UsageError(answer.message));
      else asked?.reject(Object.assign(new Error(answer.message), { stack: answer.stack }));
    });
    entry.worker.on('error', fail);
    entry.worker.on('exit', (code) => fail(new Error(`A worker thread ended with code ${code}.`)));
    return entry;
  }

  private submit(task: Task): Promise<TaskResult> {
    const result = new Promise<TaskResult>((resolve, reject) => {
      if (this.failure !== undefined) {
        reject(this.failure);
        return;
      }
      let entry: WorkerEntry | undefined;
      for (const candidate of this.entries) {
        if (entry === undefined || candidate.waiting.length < entry.waiting.length) entry = candidate;
      }
      entry?.waiting.push({ resolve, reject });
      entry?.worker.postMessage(task);
    });
    // A later task may fail while an earlier one is awaited; it is reported when its turn comes.
    result.catch(() => undefined);
    return result;
  }
}
