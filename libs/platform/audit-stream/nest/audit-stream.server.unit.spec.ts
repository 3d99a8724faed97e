import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ApplyAuditEvents, StoredAuditPosition } from './audit-events.decorators';
import {
  type AuditEventsBatch,
  type AuditShard,
  AuditStreamServer,
  type AuditStreamServerOptions,
} from './audit-stream.server';
import { type StreamPosition } from '../audit-stream';
import { PositionMoved } from '../shard-handler';

const applied: AuditEventsBatch[] = [];
let failure: Error | undefined;

@Controller()
class TestWorker {
  @StoredAuditPosition()
  async position({ shard }: AuditShard): Promise<StreamPosition> {
    return { seq: shard * 10, hash: 'aa', cursor: null };
  }

  @ApplyAuditEvents()
  async apply(batch: AuditEventsBatch): Promise<void> {
    await Promise.resolve();
    if (failure !== undefined) throw failure;
    applied.push(batch);
  }
}

@Module({ controllers: [TestWorker] })
class TestModule {}

@Module({})
class EmptyModule {}

async function started(
  options: AuditStreamServerOptions,
  module: Type = TestModule,
): Promise<{ close(): Promise<void> }> {
  const app = await NestFactory.createMicroservice(module, {
    strategy: new AuditStreamServer(options),
    logger: false,
  });
  await app.listen();
  return app;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

describe('AuditStreamServer', () => {
  beforeEach(() => {
    applied.length = 0;
    failure = undefined;
  });

  it('follows every shard with the controller as its handler', async () => {
    const positions: StreamPosition[] = [];
    const event = { event: {}, bytes: new Uint8Array([1]), nextCursor: '1' } as never;
    const app = await started({
      shards: 2,
      async follow(shard, handler, signal) {
        positions.push(await handler.position(shard));
        await handler.apply(shard, [event]);
        await aborted(signal);
      },
    });
    await app.close();
    expect(positions).toEqual([
      { seq: 0, hash: 'aa', cursor: null },
      { seq: 10, hash: 'aa', cursor: null },
    ]);
    expect(applied).toEqual([
      { shard: 0, events: [event] },
      { shard: 1, events: [event] },
    ]);
    // The very objects: nothing was copied or parsed on the way.
    expect(applied[0]?.events[0]).toBe(event);
  });

  it("lets the handler's failure through as it was thrown", async () => {
    failure = new PositionMoved('another process was first');
    const seen: unknown[] = [];
    const app = await started({
      shards: 1,
      async follow(shard, handler) {
        await handler.apply(shard, []).catch((error: unknown) => seen.push(error));
      },
    });
    await app.close();
    expect(seen[0]).toBe(failure);
  });

  it('reports a shard that must not go on, and keeps the others', async () => {
    const fault = new Error('bad signature');
    const stopped: unknown[] = [];
    let others = 0;
    const app = await started({
      shards: 3,
      async follow(shard, _handler, signal) {
        if (shard === 1) throw fault;
        await aborted(signal);
        others++;
      },
      onStopped: (...what) => stopped.push(what),
    });
    await app.close();
    expect(stopped).toEqual([[1, fault]]);
    expect(others).toBe(2);
  });

  it('closes when the batches at hand are done', async () => {
    let finish = (): void => undefined;
    const work = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const app = await started({ shards: 1, follow: () => work });
    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    finish();
    await closing;
  });

  it('refuses an app that handles nothing', async () => {
    await expect(started({ shards: 1, follow: async () => undefined }, EmptyModule)).rejects.toMatchObject({
      code: 'misconfigured',
      message: expect.stringContaining('audit-events'),
    });
  });
});
