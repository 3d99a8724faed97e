import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type EventSigner, EventStore, openEventStoreDataSource } from '#platform/event-store';
import { SoftwareBackend } from '#platform/signer';
import { MtlsClient, type TestStack } from '#dev/testing';
import { type Signers } from '#openapi/kernel';

const ACTOR = { id: 'bench-seed', kind: 'system', roles: [] } as const;
const EVENTS_PER_APPEND = 500;
const APPENDS_AT_ONCE = 12;
/** Distinct streams among the seeded events: most are short, like those of manifests and orders. */
const EVENTS_PER_STREAM = 8;

/**
 * Appends events until the first shard has `total`, with the library itself and the stack's own audit key: the chain is
 * as valid as one that grew over months. About ten thousand a second, instead of the rate of the whole path.
 */
export async function seedEvents(stack: TestStack, total: number): Promise<void> {
  const signer = await stackSigner(stack);
  const dataSource = await openEventStoreDataSource({
    url: stack.postgres.runtimeUrl,
    applicationName: 'bench-seed',
    poolSize: 4,
  });
  const store = new EventStore({
    dataSource,
    origin: stack.origin,
    shards: stack.shards,
    signer,
    limits: { maxGroupEvents: 2_000, maxGroupRequests: 4, signTimeoutMs: 60_000, storeTimeoutMs: 60_000 },
  });
  try {
    const [head] = await store.heads();
    let next = (head?.seq ?? 0) + 1;
    const appendUntilDone = async (): Promise<void> => {
      while (next <= total) {
        const first = next;
        next += EVENTS_PER_APPEND;
        const count = Math.min(EVENTS_PER_APPEND, total - first + 1);
        await store.append({
          actor: { ...ACTOR, roles: [...ACTOR.roles] },
          writes: Array.from({ length: count }, (_, n) => seedWrite(first + n)),
        });
      }
    };
    await Promise.all(Array.from({ length: APPENDS_AT_ONCE }, appendUntilDone));
    await admit(stack, (await store.heads())[0]?.seq ?? 0);
  } finally {
    await store.close();
    await dataSource.destroy();
    await signer.close();
  }
}

/**
 * Tells the signing proxy where the chain is now: it has not signed these events, and signs nothing that builds on what
 * nobody signed. An operator opens a window, and the next write goes through it.
 */
async function admit(stack: TestStack, seq: number): Promise<void> {
  const { caCert: ca, callers } = stack.identities;
  const proxy = new MtlsClient(stack.signingProxyUrl, { ca, identity: callers.SUPERADMIN });
  try {
    const window = { shard: 0, seq, seconds: 60, reason: 'the benchmark has filled the store' };
    const opened = await proxy.post('/v1/restore-windows', window);
    // The log's publisher may have had a checkpoint over them signed already.
    const needless = (opened.json as { error?: string } | undefined)?.error === 'nothing_to_open';
    if (opened.status !== 201 && !needless)
      throw new Error(`the proxy opens no window: ${opened.status} ${opened.text}`);
    const event = { type: 'bench.seeded', payload: { seq } };
    const written = await stack.client('OPERATOR').post('/kernel/audit', event);
    if (written.status !== 201) throw new Error(`nothing can be written: ${written.status} ${written.text}`);
  } finally {
    await proxy.close();
  }
}

/** About 500 bytes of payload; stream names in no order, like those of real aggregates. */
function seedWrite(n: number): Parameters<EventStore['append']>[0]['writes'][number] {
  const digest = createHash('sha256')
    .update(`bench ${Math.floor(n / EVENTS_PER_STREAM)}`)
    .digest('hex');
  return {
    stream: `order/${digest.slice(0, 24)}`,
    expectedVersion: 'any',
    events: [
      {
        type: n % 3 === 0 ? 'order.allocated' : 'order.changed',
        payload: {
          n,
          digest,
          warehouse: 'hamburg-2',
          lines: [
            { sku: `A-${digest.slice(24, 40)}`, quantity: 3 },
            { sku: `B-${digest.slice(40, 56)}`, quantity: 1 },
          ],
          note: 'Allocated by the nightly run after the forecast of the week; no manual change was made to it, and none is expected before it ships.',
          promisedBy: '2026-12-01T12:00:00.000Z',
        },
      },
    ],
  };
}

/** The registered audit key: the software signer's keys are files in the stack's folder, so it can sign here too. */
async function stackSigner(stack: TestStack): Promise<EventSigner & { close(): Promise<void> }> {
  const { signers } = (await stack.client('AUDITOR').get('/kernel/keys')).json as Signers;
  const audit = signers.find(({ purposes, status }) => purposes.includes('audit') && status === 'active');
  if (audit === undefined) throw new Error('the stack has registered no audit key');
  const backend = await SoftwareBackend.open({
    dir: join(stack.dir, 'signing-keys'),
    keys: [{ kid: audit.signer_kid, purposes: ['audit'] }],
    production: false,
  });
  return {
    activeKid: () => audit.signer_kid,
    sign: async (kid, inputs) =>
      (await backend.sign(kid, inputs)).map((signature) => Buffer.from(signature).toString('base64')),
    close: () => backend.close(),
  };
}

/** Ids of events spread evenly over the shard. */
export async function sampleIds(stack: TestStack, count: number): Promise<string[]> {
  return asSuperuser(stack, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `SELECT e.id FROM kernel.shard_head h, generate_series(1, $1::integer) AS n
       JOIN kernel.events e ON e.shard = 0 AND e.seq = 1 + ((n::bigint * 2654435761) % (SELECT seq FROM kernel.shard_head WHERE shard = 0))
       WHERE h.shard = 0`,
      [count],
    );
    return rows.map(({ id }) => id);
  });
}

/** Settles a bulk load: everything is flushed and analysed and no vacuum runs, as during a normal day. */
export async function settle(stack: TestStack): Promise<void> {
  await asSuperuser(stack, async (client) => {
    await client.query('VACUUM (ANALYZE) kernel.events, kernel_index.events');
    await client.query('CHECKPOINT');
    for (;;) {
      const { rows } = await client.query(
        "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'",
      );
      if (rows.length === 0) return;
      await delay(200);
    }
  });
}

async function asSuperuser<T>(stack: TestStack, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: stack.postgres.superuserUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
