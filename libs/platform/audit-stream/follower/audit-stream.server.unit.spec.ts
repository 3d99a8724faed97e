import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuditStreamServer } from './audit-stream.server';

@Module({})
class EmptyModule {}

async function started(strategy: AuditStreamServer): Promise<{ close(): Promise<void> }> {
  const app = await NestFactory.createMicroservice(EmptyModule, { strategy, logger: false });
  await app.listen();
  return app;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

describe('AuditStreamServer', () => {
  it('follows every shard from the start to the close', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const app = await started(
      new AuditStreamServer(3, async (shard, signal) => {
        begun.push(shard);
        await aborted(signal);
        ended.push(shard);
      }),
    );
    expect(begun).toEqual([0, 1, 2]);
    expect(ended).toEqual([]);
    await app.close();
    expect(ended).toEqual([0, 1, 2]);
  });

  it('follows nothing before the app listens', async () => {
    const begun: number[] = [];
    const strategy = new AuditStreamServer(1, async (shard) => void begun.push(shard));
    const app = await NestFactory.createMicroservice(EmptyModule, { strategy, logger: false });
    expect(begun).toEqual([]);
    await app.close();
    expect(begun).toEqual([]);
  });

  it('closes when the batches at hand are done', async () => {
    let finish = (): void => undefined;
    const work = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const app = await started(new AuditStreamServer(1, () => work));
    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    finish();
    await closing;
  });
});
