import { type MessagePort } from 'node:worker_threads';
import { UsageError } from '../usage.error';
import { TaskChecker } from './check-task';
import { type Task } from './tasks';
import { type InspectionSetup } from '../verdict/inspected/inspected-events';
import { type WorkerAnswer } from './worker-pool';

/** Body of a worker thread: tasks in, results out, one after the other. */
export function serveTasks(port: MessagePort, setup: InspectionSetup): void {
  const checker = new TaskChecker(setup);
  let turn = Promise.resolve();
  port.on('message', (task: Task) => {
    turn = turn.then(async () => {
      let answer: WorkerAnswer;
      try {
        answer = { ok: true, result: await checker.check(task) };
      } catch (error) {
        const { message, stack } = error instanceof Error ? error : new Error(String(error));
        answer = { ok: false, usage: error instanceof UsageError, message, stack: stack ?? message };
      }
      port.postMessage(answer);
    });
  });
}
