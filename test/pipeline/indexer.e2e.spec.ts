import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { Client } from 'pg';
import { type AuditEvent } from '#evidence';
import { compileCache } from '#dev/devstack';
import { describeWithKafka, type TestStack, withStack, workTree } from '#dev/testing';
import { loadFaultSettings, timeoutOf } from '../faults/fault.config';
import { until } from '../faults/until';

/** Number of kills: pipeline-kills has more, over Kafka, while this test uses the stream over PostgreSQL. */
const { rounds: kills } = loadFaultSettings();
jest.setTimeout(timeoutOf(kills, 10_000));
/** Pause between two requests of one writer: the test is about a kill in the middle, not about speed. */
const PAUSE_MS = 10;

/** Appends events, several hundred a second, until it is stopped. */
function startLoad(stack: TestStack): { stop(): Promise<void> } {
  const client = stack.client('OPERATOR', { connections: 2 });
  let running = true;
  const writers = Array.from({ length: 2 }, async (_, writer) => {
    for (let n = 0; running; n++) {
      const events = Array.from({ length: 10 }, (_, at) => ({
        type: 'load.applied',
        stream: `load/${writer}-${n % 5}`,
        payload: { n, at },
      }));
      await client.post('/kernel/audit', { events });
      await delay(PAUSE_MS);
    }
  });
  return {
    async stop() {
      running = false;
      await Promise.all(writers);
    },
  };
}

async function sql<T>(stack: TestStack, text: string): Promise<T[]> {
  const client = new Client({ connectionString: stack.postgres.superuserUrl });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

/** Events that are only in the store, only in the index, or different in the two. */
async function differences(stack: TestStack): Promise<number> {
  const [row] = await sql<{ n: string }>(
    stack,
    `SELECT count(*) AS n FROM kernel.events e FULL JOIN kernel_index.events i USING (shard, seq)
     WHERE (e.id, e.hash, e.canonical, e.division) IS DISTINCT FROM (i.id, i.hash, i.canonical, i.division)`,
  );
  return Number(row?.n);
}

const sameAsStore = (stack: TestStack): Promise<void> =>
  until('the index is what the store is', async () => (await differences(stack)) === 0, 60_000);

async function ready(stack: TestStack): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${stack.worker('indexer').managementUrl}/ready`);
  return { status: answer.status, text: await answer.text() };
}

async function metric(stack: TestStack, name: string): Promise<number> {
  const text = await (await fetch(`${stack.worker('indexer').managementUrl}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.split(' ')
      .at(-1) ?? 0,
  );
}

/** ./kernel replay, as an operator runs it. */
async function replayIndex(
  stack: TestStack,
  ...args: string[]
): Promise<{ heads: { seq: number; hash: string }[] }> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(workTree(), 'dist/apps/cli/main.js'), 'replay', '--to', 'index', '--json', ...args],
    {
      env: {
        DATABASE_URL: stack.postgres.workerUrl,
        KERNEL_ORIGIN: stack.origin,
        ...stack.stream.environment,
        ...compileCache(),
      },
    },
  );
  return JSON.parse(stdout) as { heads: { seq: number; hash: string }[] };
}

describe('the indexer behind a kernel', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], shards: 2 });

  it('killed again and again in the middle of applying: nothing twice, nothing missing', async () => {
    const load = startLoad(stack());
    const indexer = stack().worker('indexer').process;
    const indexed = async () =>
      Number((await sql<{ n: string }>(stack(), 'SELECT count(*) AS n FROM kernel_index.events'))[0]?.n);
    for (let kill = 0; kill < kills; kill++) {
      const before = await indexed();
      await until('events are applied', async () => (await indexed()) > before);
      await indexer.kill('SIGKILL');
      await indexer.start();
    }
    await load.stop();
    await sameAsStore(stack());
    await stack().whenReady();
  });

  it('its index dropped and rebuilt while everything is at work: same answers', async () => {
    const auditor = stack().client('AUDITOR');
    const list = async (query: string): Promise<string> => (await auditor.get(`/kernel/audit?${query}`)).text;
    const queries = ['limit=500', 'type=load.applied&limit=7', 'stream=load/1-3', 'actor=nobody'];
    const before = await Promise.all(queries.map(list));
    const load = startLoad(stack());
    try {
      await sql(stack(), 'DROP TABLE kernel_index.events');
      expect((await auditor.get('/kernel/audit')).status).toBe(503);
      await until('the indexer says so', async () => (await ready(stack())).status === 503);
      const { heads } = await replayIndex(stack(), '--from', 'store');
      expect(heads.every(({ seq }) => seq > 0)).toBe(true);
    } finally {
      await load.stop();
    }
    await sameAsStore(stack());
    // Full pages do not change while events are added.
    const after = await Promise.all(queries.map(list));
    const first = (page: string | undefined) =>
      (JSON.parse(page ?? '{}') as { events: AuditEvent[] }).events.map(({ id }) => id);
    expect(first(after[0]).slice(0, first(before[0]).length)).toEqual(first(before[0]));
    expect(after[1]).toBe(before[1]);
    expect(first(after[2]).slice(0, first(before[2]).length)).toEqual(first(before[2]));
    expect(after[3]).toBe(before[3]);
    await until('the indexer is ready', async () => (await ready(stack())).status === 200);
  });
});

describeWithKafka('records of the topic changed by hand', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], stream: 'kafka' });
  const kafka = () =>
    new Kafka({
      brokers: (stack().stream.environment['KAFKA_BROKERS'] ?? '').split(','),
      logLevel: logLevel.NOTHING,
    });

  async function produce(...values: Buffer[]): Promise<void> {
    const producer = kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({
      topic: 'audit-events',
      acks: -1,
      messages: values.map((value) => ({ key: '0', partition: 0, value })),
    });
    await producer.disconnect();
  }

  /** The canonical bytes of the last events, newest last. */
  async function last(count: number): Promise<Buffer[]> {
    const rows = await sql<{ canonical: Buffer }>(
      stack(),
      `SELECT canonical FROM (SELECT * FROM kernel.events WHERE shard = 0 ORDER BY seq DESC LIMIT ${count}) e ORDER BY seq`,
    );
    return rows.map(({ canonical }) => canonical);
  }

  const append = async (count: number): Promise<void> => {
    const events = Array.from({ length: count }, (_, n) => ({ type: 'door.opened', payload: { n } }));
    expect((await stack().client('OPERATOR').post('/kernel/audit', { events })).status).toBe(201);
  };

  const fail = (kind: string) => metric(stack(), `audit_integrity_failures_total{shard="0",kind="${kind}"}`);

  /** Procedure of docs/pipeline.md for a topic that cannot be trusted: it is a copy, so it is made again. */
  async function makeTopicAnew(): Promise<void> {
    const relay = stack().worker('outbox-relay').process;
    await relay.stop();
    const admin = kafka().admin();
    await admin.connect();
    await admin.deleteTopics({ topics: ['audit-events'] });
    await until('the topic is gone', async () => !(await admin.listTopics()).includes('audit-events'));
    await admin.disconnect();
    await sql(stack(), 'DELETE FROM kernel.relay_cursors');
    await relay.start();
    await stack().worker('indexer').process.stop();
    await stack().worker('indexer').process.start();
    await sameAsStore(stack());
    await stack().whenReady();
  }

  it('are skipped when they are repetitions, which is counted', async () => {
    await append(20);
    await sameAsStore(stack());
    await produce(...(await last(5)));
    await until('they were seen', async () => (await metric(stack(), 'kernel_pipeline_repeats_total{')) >= 5);
    await append(3);
    await sameAsStore(stack());
    expect((await ready(stack())).status).toBe(200);
  });

  it.each([
    ['altered', 'hash', ([next]: Buffer[]) => [Buffer.from(String(next).replace('"n":0', '"n":7'))]],
    ['dropped', 'gap', ([, behind]: Buffer[]) => [behind as Buffer]],
    ['no events at all', 'format', () => [Buffer.from('{}')]],
    [
      'other events in the place of applied ones',
      'fork',
      // As a stranger would make them: everything is right except the signature, which is not checked for a repetition.
      () => forks,
    ],
  ])(
    'stop the indexer when they are %s, and it says why; a topic made anew heals it',
    async (_, kind, tamper) => {
      await sameAsStore(stack());
      const relay = stack().worker('outbox-relay').process;
      await relay.stop();
      await append(2);
      if (kind === 'fork') forks = [await fork()];
      const found = await fail(kind);
      await produce(...tamper(await last(2)));
      await until('it stops', async () => (await ready(stack())).status === 503);
      expect((await ready(stack())).text).toContain(
        kind === 'format' ? 'is no event' : `is refused (${kind})`,
      );
      expect(await fail(kind)).toBe(found + 1);
      // The events that the relay then publishes come after it: nothing is skipped.
      await relay.start();
      expect((await ready(stack())).status).toBe(503);
      expect(await differences(stack())).toBe(2);
      // Lists continue to show what is indexed.
      expect((await stack().client('AUDITOR').get('/kernel/audit?limit=1')).status).toBe(200);
      await makeTopicAnew();
    },
  );

  let forks: Buffer[] = [];
  async function fork(): Promise<Buffer> {
    const { hashEvent, canonicalEventBytes, parseEvent } = await import('#evidence');
    const event = parseEvent((await last(3))[0] as Buffer);
    const other = { ...event, payload: { n: 'another' } };
    const { hash: _hash, signature: _signature, ...unhashed } = other;
    return Buffer.from(canonicalEventBytes({ ...other, hash: hashEvent(unhashed) }));
  }
});
