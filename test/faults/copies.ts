import { Kafka, logLevel } from 'kafkajs';
import { Client } from 'pg';
import { type Archive, archiveSettings, openArchive } from '#platform/archive';
import { defineConfig, loadConfig } from '#platform/process';
import { type TestStack } from '#dev/testing';
import { until } from './until';

const TOPIC = 'audit-events';
/** Objects read from the archive at once. */
const PARALLEL_GETS = 16;

/** Canonical bytes as text, by the event's id; an id that occurs twice is a fault of the copy. */
export type Copy = ReadonlyMap<string, string>;

/** Reads the places where events are kept in the most direct way: SQL, the archive's own client, Kafka's. */
export class Copies {
  private readonly database: Client;

  private constructor(
    private readonly stack: TestStack,
    readonly archiveClient: Archive,
  ) {
    this.database = new Client({ connectionString: stack.postgres.ownerUrl });
    // The test decides when PostgreSQL is down; the next query then fails.
    this.database.on('error', () => undefined);
  }

  static async open(stack: TestStack): Promise<Copies> {
    const settings = loadConfig(defineConfig(archiveSettings), { ...stack.archive.environment });
    const copies = new Copies(stack, await openArchive(settings));
    await copies.database.connect();
    return copies;
  }

  async close(): Promise<void> {
    await this.archiveClient.close();
    await this.database.end();
  }

  store(): Promise<Copy> {
    return this.table('kernel.events');
  }

  index(): Promise<Copy> {
    return this.table('kernel_index.events');
  }

  /** @param known events read before: locked objects, which are listed but not read again */
  async archive(known: Copy = new Map()): Promise<Copy> {
    const keys: string[] = [];
    const copy = new Map<string, string>();
    for await (const { key } of this.archiveClient.list('audit/')) {
      const id = key.slice(key.lastIndexOf('/') + 1, -'.json'.length);
      const text = known.get(id);
      if (text === undefined) keys.push(key);
      else copy.set(id, text);
    }
    const reader = async (): Promise<void> => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
        const text = textOf((await this.archiveClient.get(key)) ?? new Uint8Array());
        const { id, ts } = JSON.parse(text) as { id: string; ts: string };
        const [date] = ts.split('T');
        if (key !== `audit/${date?.replaceAll('-', '/')}/${id}.json`)
          throw new Error(`${key} holds event ${id} of ${ts}`);
        copy.set(id, text);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_GETS }, reader));
    return copy;
  }

  /** Current content of the topic, partition by partition, including repetitions. */
  async topic(): Promise<string[][]> {
    const { server } = this.stack.stream;
    if (server === undefined) throw new Error('this stack has no Kafka');
    const kafka = new Kafka({ brokers: [server.broker], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    const ends = await admin.fetchTopicOffsets(TOPIC);
    await admin.disconnect();
    const records = ends.map((): string[] => []);
    const reached = ends.map(({ high }) => Number(high) === 0);
    const consumer = kafka.consumer({ groupId: `test-${process.pid}-${performance.now()}` });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition, message: { key, value, offset } }) => {
          if (key?.toString() !== String(partition))
            throw new Error(`a record of partition ${partition} has the key ${key?.toString()}`);
          if (reached[partition]) return;
          records[partition]?.push(textOf(value ?? new Uint8Array()));
          const end = Number(ends.find((entry) => entry.partition === partition)?.high);
          reached[partition] = Number(offset) + 1 >= end;
        },
      });
      await until('the topic is read to its end', () => reached.every(Boolean));
    } finally {
      await consumer.disconnect();
    }
    return records;
  }

  /** Resolves when a consumer has applied all that the store holds now. */
  async caughtUp(consumer: 'indexer' | 'archiver', timeoutMs = 240_000): Promise<void> {
    const { rows } = await this.database.query<{ shard: number; seq: string }>(
      'SELECT shard, seq FROM kernel.shard_head',
    );
    const behind = async (): Promise<number> => {
      const found = await this.database.query<{ shard: number; seq: string }>(
        'SELECT shard, seq FROM kernel.stream_positions WHERE consumer = $1',
        [consumer],
      );
      const position = new Map(found.rows.map(({ shard, seq }) => [shard, Number(seq)]));
      return rows.reduce(
        (sum, { shard, seq }) => sum + Math.max(0, Number(seq) - (position.get(shard) ?? 0)),
        0,
      );
    };
    await until(`the ${consumer} has caught up`, async () => (await behind()) === 0, timeoutMs);
  }

  /** Number of events in the store, without reading them. */
  async stored(): Promise<number> {
    const { rows } = await this.database.query<{ sum: string }>('SELECT sum(seq) FROM kernel.shard_head');
    return Number(rows[0]?.sum ?? 0);
  }

  private async table(name: string): Promise<Copy> {
    const { rows } = await this.database.query<{ id: string; canonical: Buffer }>(
      `SELECT id, canonical FROM ${name} ORDER BY shard, seq`,
    );
    const copy = new Map(rows.map(({ id, canonical }) => [id, textOf(canonical)]));
    if (copy.size !== rows.length) throw new Error(`${name} holds an event twice`);
    return copy;
  }
}

/** Differences between one copy and the store, in words; empty when they are equal. */
export function differences(store: Copy, copy: Copy): string[] {
  const missing = [...store.keys()].filter((id) => !copy.has(id));
  const extra = [...copy.keys()].filter((id) => !store.has(id));
  const different = [...store]
    .filter(([id, bytes]) => copy.has(id) && copy.get(id) !== bytes)
    .map(([id]) => id);
  return Object.entries({ missing, extra, different })
    .filter(([, ids]) => ids.length > 0)
    .map(([what, ids]) => `${ids.length} ${what}, the first is ${ids[0]}`);
}

/** Expects the same bytes in store, index and archive; returns the events. @param known as in `Copies.archive` */
export async function expectEqualCopies(copies: Copies, known?: Copy): Promise<Copy> {
  await copies.caughtUp('indexer');
  await copies.caughtUp('archiver');
  const store = await copies.store();
  expect({
    index: differences(store, await copies.index()),
    archive: differences(store, await copies.archive(known)),
  }).toEqual({ index: [], archive: [] });
  return store;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
