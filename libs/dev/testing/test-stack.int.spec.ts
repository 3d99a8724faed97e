import { existsSync } from 'node:fs';
import { identityOf, isRunning, type ProcessIdentity } from '#dev/devstack';
import { startStack } from './test-stack';

it('runs the real processes, lets them be killed and started, and leaves nothing behind', async () => {
  const stack = await startStack({ kernels: 2 });
  const pids: ProcessIdentity[] = [];
  try {
    const services = [stack.signingProxy, ...stack.kernels.map((kernel) => kernel.process)];
    pids.push(...services.map((service) => service.current?.identity as ProcessIdentity));
    pids.push(identityOf(stack.postgres.pid as number) as ProcessIdentity);
    expect(pids.every(isRunning)).toBe(true);

    for (const kernel of [0, 1]) {
      const head = await stack.client('AUDITOR', { kernel }).get('/kernel/audit/head');
      expect(head.status).toBe(200);
      expect(head.json).toHaveLength(1);
    }
    await expect(stack.client(null).get('/kernel/audit/head')).rejects.toThrow();

    const [first, second] = stack.kernels;
    await first?.process.kill();
    expect(first?.process.state).toBe('stopped');
    expect((await stack.management('/health', 0)).status).toBe(0);
    expect((await stack.management('/health', 1)).status).toBe(200);
    await first?.process.start();
    await stack.whenReady();
    expect(second?.process.restarts).toBe(0);
  } finally {
    await stack.stop();
  }
  expect(pids.some(isRunning)).toBe(false);
  expect(existsSync(stack.dir)).toBe(false);
});
