import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderArchive } from '#platform/archive';
import { LogStorage } from '../storage/log-storage';
import { TileCache } from '../tree/tile-cache';
import { CheckpointPublisher, type PublisherObserver } from './checkpoint-publisher';
import { type CheckpointRequest } from './checkpoint-signer';
import { GrowingLog } from './growing-log';
import { type WitnessClient } from './witness';

/** A note as it looks, without signatures that anyone checks. */
const noteOf = ({ size, root }: CheckpointRequest): string =>
  `kernel.test/log/0\n${size}\n${Buffer.from(root).toString('base64')}\n\n\u2014 kernel.test/log/0 AAAA\n`;

describe('the publisher of checkpoints', () => {
  let dir: string;
  let archive: FolderArchive;
  let storage: LogStorage;
  let log: GrowingLog;
  let reads: string[];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'checkpoint-publisher-'));
    archive = await FolderArchive.open({ dir });
    reads = [];
    const get = archive.get.bind(archive);
    archive.get = (key) => {
      reads.push(key);
      return get(key);
    };
    storage = new LogStorage(archive, 0);
    log = GrowingLog.empty(storage);
  });
  afterEach(async () => {
    await archive.close();
    await rm(dir, { recursive: true });
  });

  /** A witness whose cosignature comes when it is let go. */
  function lateWitness(): { witness: WitnessClient; letGo: () => void } {
    const gate = Promise.withResolvers<void>();
    const witness: WitnessClient = {
      name: 'late.example',
      addCheckpoint: async () => {
        await gate.promise;
        return { cosignatures: ['\u2014 late.example AAAA'] };
      },
    };
    return { witness, letGo: gate.resolve };
  }

  function publisherOf(witnesses: WitnessClient[] = [], observer: PublisherObserver = {}) {
    return new CheckpointPublisher({
      storage,
      signer: { lastSigned: () => Promise.resolve([]), sign: (tree) => Promise.resolve(noteOf(tree)) },
      policy: { witnesses, isQuorum: () => true },
      cosignTimeoutMs: 10_000,
      cache: new TileCache(1 << 20),
      observer,
    });
  }
  const grow = (events: number): void => {
    for (let n = 0; n < events; n++) log.append(Buffer.from(`event ${log.size}`));
  };

  it('adds no late cosignature once another process leads', async () => {
    const { witness, letGo } = lateWitness();
    let leads = true;
    const came = Promise.withResolvers<string>();
    const publisher = publisherOf([witness], { onCosigned: came.resolve });
    grow(3);
    await publisher.publish(log, () => leads);
    leads = false;
    await storage.publish('the newer checkpoint of the next leader');
    letGo();
    await came.promise;
    // It waits for what is being done about it.
    await publisher.isPublished();
    expect(await storage.checkpoint()).toBe('the newer checkpoint of the next leader');
  });

  it('says which cosignature could not be added, and does not take it for published', async () => {
    const { witness, letGo } = lateWitness();
    const notAdded = Promise.withResolvers<string>();
    const publisher = publisherOf([witness], { onNotAdded: notAdded.resolve });
    grow(3);
    await publisher.publish(log, () => true);
    archive.replace = () => Promise.reject(new Error('the storage is away'));
    letGo();
    expect(await notAdded.promise).toBe('late.example');
    expect(await publisher.isPublished()).toBe(true);
  });

  it('forgets what it published when it begins anew while a late cosignature is added', async () => {
    const { witness, letGo } = lateWitness();
    const publisher = publisherOf([witness]);
    grow(3);
    await publisher.publish(log, () => true);
    const writing = Promise.withResolvers<void>();
    const replace = archive.replace.bind(archive);
    archive.replace = async (object) => {
      writing.resolve();
      await replace(object);
    };
    letGo();
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
