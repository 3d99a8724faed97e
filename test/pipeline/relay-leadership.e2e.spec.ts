import { Client } from 'pg';
import { signalProcess, type ProcessIdentity } from '#dev/devstack';
import { describeWithKafka, type TestStack, withStack } from '#dev/testing';
import { Copies, differences } from '../faults/copies';

/** Lease of the relays: short enough to wait for, long compared with a busy machine's pauses. */
const LEASE_MS = 3_000;

interface Cursor {
  seq: number;
  epoch: number;
}

describeWithKafka('two outbox relays', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'outbox-relay', 'indexer'],
    stream: 'kafka',
    workerVariables: (app) => (app === 'outbox-relay' ? { KERNEL_RELAY_LEASE_MS: String(LEASE_MS) } : {}),
  });

  async function append(count: number): Promise<number> {
    const events = Array.from({ length: count }, (_, n) => ({ type: 'thing.changed', payload: { n } }));
    const answer = await stack().client('OPERATOR').post('/kernel/audit', { events });
    expect(answer.status).toBe(201);
    return Number((answer.json as { position: string }).position.split(':')[1]);
  }

  async function query<R extends object>(sql: string): Promise<R[]> {
    const client = new Client({ connectionString: stack().postgres.workerUrl });
    await client.connect();
    try {
      return (await client.query<R>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async function cursor(): Promise<Cursor> {
    const [row] = await query<{ seq: string; epoch: string }>('SELECT seq, epoch FROM kernel.relay_cursors');
    return { seq: Number(row?.seq ?? 0), epoch: Number(row?.epoch ?? 0) };
  }

  async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  const reached = (seq: number) => until(async () => (await cursor()).seq === seq, `the cursor at ${seq}`);

  /** A relay's own metrics: how much it has published, and whether it is the leader. */
  async function metrics(n: number): Promise<{ published: number; leads: boolean }> {
    const text = await (await fetch(`${stack().worker('outbox-relay', n).managementUrl}/metrics`)).text();
    const value = (name: string): number =>
      Number(new RegExp(`^${name}\\{shard="0"\\} (\\d+)$`, 'm').exec(text)?.[1]);
    return {
      published: value('kernel_relay_published_events_total'),
      leads: value('kernel_relay_leader') === 1,
    };
  }

  async function roles(running: TestStack): Promise<{ leader: number; standby: number }> {
    let leader = -1;
    await until(
      async () => {
        const all = await Promise.all([0, 1].map(metrics));
        leader = all.findIndex(({ leads }) => leads);
        return all.filter(({ leads }) => leads).length === 1;
      },
      `exactly one of ${running.workers.length - 1} leads`,
    );
    return { leader, standby: 1 - leader };
  }

  const identity = (n: number): ProcessIdentity =>
    stack().worker('outbox-relay', n).process.current?.identity as ProcessIdentity;

  it('are both ready, and only one publishes', async () => {
    const { leader, standby } = await roles(stack());
    const head = await append(300);
    await reached(head);
    // It counts a moment after the cursor moved.
    await until(async () => (await metrics(leader)).published >= head, 'the leader counted them');
    expect((await metrics(leader)).published).toBe(head);
    expect((await metrics(standby)).published).toBe(0);
  });

  it('go on when the leader is killed', async () => {
    const { leader, standby } = await roles(stack());
    const { epoch } = await cursor();
    await stack().worker('outbox-relay', leader).process.kill();
    const head = await append(10);
    await reached(head);
    expect((await cursor()).epoch).toBeGreaterThan(epoch);
    expect((await metrics(standby)).leads).toBe(true);
    await stack().worker('outbox-relay', leader).process.start();
    await stack().whenReady();
  });

  it('go on when the leader is frozen past its lease; woken, it moves no cursor and reorders nothing', async () => {
    const { leader, standby } = await roles(stack());
    const { epoch } = await cursor();
    const before = (await metrics(standby)).published;
    let writing = true;
    // So that it is frozen in the middle of a batch, and wakes with more to do.
    const load = (async () => {
      while (writing) await append(5);
    })();
    let frozenAt: Cursor;
    try {
      const published = (await metrics(leader)).published;
      await until(async () => (await metrics(leader)).published > published, 'the leader publishes the load');
      signalProcess(identity(leader), 'SIGSTOP');
      const { seq } = await cursor();
      await until(async () => (await cursor()).epoch > epoch, 'the other takes over');
      await until(async () => (await cursor()).seq > seq, 'the other publishes');
      frozenAt = await cursor();
      await append(20);
    } finally {
      signalProcess(identity(leader), 'SIGCONT');
      writing = false;
      await load;
    }
    // It has events to publish from before it was frozen, and believes that it is the leader until it checks.
    const head = await append(20);
    await reached(head);
    await until(async () => !(await metrics(leader)).leads, 'the woken one stands by');
    expect((await cursor()).epoch).toBe(frozenAt.epoch);
    expect((await metrics(standby)).published - before).toBeGreaterThanOrEqual(40);
    const [row] = await query<{ same: boolean }>(
      'SELECT c.hash = h.hash AS same FROM kernel.relay_cursors c JOIN kernel.shard_head h USING (shard)',
    );
    expect(row?.same).toBe(true);
    const log = await stack().log(standby === 0 ? 'outbox-relay' : 'outbox-relay-2');
    expect(log).toContain('ended the session of a leader whose lease had run out');
    // The woken one can have sent only repetitions: first occurrences are in order, and the effect equals the store.
    const copies = await Copies.open(stack());
    try {
      await copies.caughtUp('indexer');
      const store = await copies.store();
      expect([...new Set((await copies.topic()).flat())]).toEqual([...store.values()]);
      expect(differences(store, await copies.index())).toEqual([]);
    } finally {
      await copies.close();
    }
    const { status } = await fetch(`${stack().worker('indexer').managementUrl}/ready`);
    expect(status).toBe(200);
  });
});
