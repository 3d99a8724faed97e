import { setImmediate as turn } from 'node:timers/promises';
import { MemoryArchive } from '#dev/testing';
import { LogStorage } from '../storage/log-storage';
import { TileCache } from '../tree/tile-cache';
import { CheckpointPublisher } from './checkpoint-publisher';
import { type CheckpointRequest } from './checkpoint-signer';
import { GrowingLog } from './growing-log';
import { type WitnessClient } from './witness';

/** A note as it looks, without signatures that anyone checks. */
const noteOf = ({ size, root }: CheckpointRequest): string =>
  `kernel.test/log/0\n${size}\n${Buffer.from(root).toString('base64')}\n\n\u2014 kernel.test/log/0 AAAA\n`;

describe('the publisher of checkpoints', () => {
  let archive: MemoryArchive;
  let storage: LogStorage;
  let log: GrowingLog;
  let reads: string[];
  beforeEach(() => {
    archive = new MemoryArchive();
    reads = [];
    const get = archive.get.bind(archive);
    archive.get = (key) => {
      reads.push(key);
      return get(key);
    };
    storage = new LogStorage(archive, 0);
    log = GrowingLog.empty(storage);
  });

  function publisherOf(witnesses: WitnessClient[] = [], onNotAdded?: (witness: string) => void) {
    return new CheckpointPublisher({
      storage,
      signer: { lastSigned: () => Promise.resolve([]), sign: (tree) => Promise.resolve(noteOf(tree)) },
      policy: { witnesses, isQuorum: () => true },
      cosignTimeoutMs: 10_000,
      cache: new TileCache(1 << 20),
      ...(onNotAdded === undefined ? {} : { observer: { onNotAdded } }),
    });
  }
  const grow = (events: number): void => {
    for (let n = 0; n < events; n++) log.append(Buffer.from(`event ${log.size}`));
  };

  it('adds no late cosignature once another process leads', async () => {
    const gate = Promise.withResolvers<void>();
    const late: WitnessClient = {
      name: 'late.example',
      addCheckpoint: async () => {
        await gate.promise;
        return { cosignatures: ['\u2014 late.example AAAA'] };
      },
    };
    let leads = true;
    const publisher = publisherOf([late]);
    grow(3);
    await publisher.publish(log, () => leads);
    leads = false;
    await storage.publish('the newer checkpoint of the next leader');
    gate.resolve();
    for (let n = 0; n < 10; n++) await turn();
    expect(await storage.checkpoint()).toBe('the newer checkpoint of the next leader');
  });

  it('says which cosignature could not be added, and does not take it for published', async () => {
    const gate = Promise.withResolvers<void>();
    const late: WitnessClient = {
      name: 'late.example',
      addCheckpoint: async () => {
        await gate.promise;
        return { cosignatures: ['\u2014 late.example AAAA'] };
      },
    };
    const notAdded = Promise.withResolvers<string>();
    const publisher = publisherOf([late], notAdded.resolve);
    grow(3);
    await publisher.publish(log, () => true);
    archive.replace = () => Promise.reject(new Error('the storage is away'));
    gate.resolve();
    expect(await notAdded.promise).toBe('late.example');
    expect(await publisher.isPublished()).toBe(true);
  });

  it('forgets what it published when it begins anew while a late cosignature is added', async () => {
    const gate = Promise.withResolvers<void>();
    const late: WitnessClient = {
      name: 'late.example',
      addCheckpoint: async () => {
        await gate.promise;
        return { cosignatures: ['\u2014 late.example AAAA'] };
      },
    };
    const publisher = publisherOf([late]);
    grow(3);
    await publisher.publish(log, () => true);
    const writing = Promise.withResolvers<void>();
    const replace = archive.replace.bind(archive);
    archive.replace = async (object) => {
      writing.resolve();
      await replace(object);
    };
    gate.resolve();
    await writing.promise;
    publisher.begin();
    // It waits for the write.
    expect(await publisher.isPublished()).toBe(false);
  });

  it('proves that a tree continues the one before without reading back what it stored', async () => {
    const publisher = publisherOf();
    grow(250);
    await publisher.publish(log, () => true);
    grow(300);
    await publisher.publish(log, () => true);
    grow(1);
    expect(await publisher.publish(log, () => true)).toEqual({ outcome: 'published', size: 551 });
    expect(reads).toEqual([]);
  });
});
