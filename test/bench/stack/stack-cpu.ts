import { type TestStack } from '#dev/testing';
import { cpuSecondsOf } from '../machine/process-cpu';

/** CPU seconds used so far by every process of a stack, by name; those of several kernels or workers together. */
export function cpuOfStack(stack: TestStack): Map<string, number> {
  const pids: [name: string, pid: number | undefined][] = [
    ...stack.kernels.map(({ process }): [string, number | undefined] => ['kernel', process.current?.pid]),
    ['signing-proxy', stack.signingProxy.current?.pid],
    ['postgres', stack.postgres.pid],
    ...stack.workers.map(({ app, process }): [string, number | undefined] => [app, process.current?.pid]),
    ['kafka', stack.stream.server?.pid],
    ['s3', stack.archive.server?.pid],
  ];
  const used = new Map<string, number>();
  for (const [name, pid] of pids) {
    if (pid !== undefined) used.set(name, (used.get(name) ?? 0) + (cpuSecondsOf(pid) ?? 0));
  }
  return used;
}
