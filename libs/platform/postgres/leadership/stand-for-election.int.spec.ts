import { Client } from 'pg';
import { migrate } from '#platform/event-store';
import { FaultyWire, type TestDatabase, withOwnPostgres } from '#dev/testing';
import { ElectionSession } from './election-session';
import { type ElectionOptions, standForElection, type Term } from './stand-for-election';

/** Short enough to wait for, long compared with a busy machine's pauses. */
const LEASE_MS = 1_500;

interface Candidate {
  readonly terms: Term[];
  readonly ended: string[];
  readonly unavailable: string[];
  takeOvers: number;
  stop(): Promise<void>;
}

describe('standForElection', () => {
  const postgres = withOwnPostgres();
  let database: TestDatabase;
  let candidates: Candidate[];

  beforeEach(async () => {
    candidates = [];
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, {
      origin: 'kernel.example.com/test',
      shards: 1,
      workerRole: postgres().workerRole,
    });
  });
  afterEach(async () => {
    await Promise.all(candidates.map((candidate) => candidate.stop()));
    await database.drop();
  });

  /** Stands for election and, unless told what to do, is the leader until its term is over. */
  function stand(
    options: Partial<ElectionOptions> = {},
    lead: (term: Term) => Promise<void> = untilOver,
  ): Candidate {
    const stopping = new AbortController();
    const candidate = {
      terms: [] as Term[],
      ended: [] as string[],
      unavailable: [] as string[],
      takeOvers: 0,
    };
    const done = standForElection(
      {
        url: database.workerUrl,
        name: 'job',
        holder: `candidate ${candidates.length + 1}`,
        leaseMs: LEASE_MS,
        pollMs: 20,
        observer: {
          onElected: (term) => candidate.terms.push(term),
          onEnded: (_, reason) => candidate.ended.push(reason),
          onTakeOver: () => (candidate.takeOvers += 1),
          onUnavailable: ({ message }) => candidate.unavailable.push(message),
        },
        ...options,
      },
      lead,
      stopping.signal,
    );
    done.catch(() => undefined);
    const standing = Object.assign(candidate, {
      async stop() {
        stopping.abort();
        await done.catch(() => undefined);
      },
    });
    candidates.push(standing);
    return standing;
  }

  function untilOver({ signal }: Term): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async function query<R extends object>(sql: string, values: unknown[] = []): Promise<R[]> {
    const client = new Client({ connectionString: database.superuserUrl });
    await client.connect();
    try {
      return (await client.query<R>(sql, values)).rows;
    } finally {
      await client.end();
    }
  }

  async function until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it('elects one of several, and the next when that one stops', async () => {
    const standing = [stand(), stand(), stand()];
    const elected = () => standing.filter(({ terms }) => terms.length > 0);
    await until(() => elected().length === 1, 'a first leader');
    const [first] = elected() as [Candidate];
    expect(first.terms[0]).toMatchObject({ name: 'job', epoch: 1 });
    expect(first.terms[0]?.holds()).toBe(true);
    await first.stop();
    expect(first.terms[0]?.signal.aborted).toBe(true);
    expect(first.ended).toEqual(['it was told to stop']);
    await until(() => elected().length === 2, 'a second leader');
    const second = elected().find((candidate) => candidate !== first);
    expect(second?.terms.map(({ epoch }) => epoch)).toEqual([2]);
  });

  it('holds its term far beyond one lease', async () => {
    const leader = stand({ leaseMs: 300 });
    await until(() => leader.terms.length === 1, 'a leader');
    const rival = stand({ leaseMs: 300 });
    const expires = async (): Promise<number> =>
      Number((await query<{ at: Date }>('SELECT expires_at AS at FROM kernel.leadership'))[0]?.at);
    const first = await expires();
    const deadline = performance.now() + 20_000;
    while ((await expires()) < first + 3 * 300) {
      if (performance.now() > deadline) throw new Error('the lease was not renewed');
    }
    expect(leader.ended).toEqual([]);
    expect(rival.terms).toEqual([]);
  });

  it('keeps jobs apart by their names', async () => {
    const [one, other] = [stand({ name: 'one' }), stand({ name: 'other' })];
    await until(() => one.terms.length === 1 && other.terms.length === 1, 'a leader each');
    expect([one.terms[0]?.epoch, other.terms[0]?.epoch]).toEqual([1, 1]);
  });

  it('ends the term at once when the session is lost, and stands again', async () => {
    // A lease that no test waits for.
    const leader = stand({ leaseMs: 600_000 });
    await until(() => leader.terms.length === 1, 'a leader');
    await query(`SELECT pg_terminate_backend(backend_pid) FROM kernel.leadership`);
    await until(() => leader.terms.length === 2, 'another term');
    expect(leader.terms[0]?.signal.aborted).toBe(true);
    expect(leader.terms[0]?.holds()).toBe(false);
    expect(leader.terms[1]?.epoch).toBe(2);
    expect(leader.takeOvers).toBe(0);
  });

  it('takes over from a holder that is frozen while its session lives, and fences it', async () => {
    // Like after SIGSTOP: a session with the lock that sends nothing any more.
    const frozen = await ElectionSession.open(database.workerUrl, 'job', LEASE_MS);
    try {
      expect(await frozen.win('frozen')).toBe(1);
      await query(
        `INSERT INTO kernel.relay_cursors VALUES (0, 1, decode(repeat('ab', 32), 'hex'), 1, NULL, now())`,
      );
      const next = stand();
      await until(() => next.terms.length === 1, 'the next leader');
      expect(next.takeOvers).toBe(1);
      expect(next.terms[0]?.epoch).toBe(2);
      expect(await query(`SELECT FROM kernel.leadership WHERE acquired_at > expires_at`)).toEqual([]);
      await query(`UPDATE kernel.relay_cursors SET epoch = 2`);
      const late = await query(
        `UPDATE kernel.relay_cursors SET seq = 2 WHERE shard = 0 AND seq = 1 AND epoch = 1 RETURNING seq`,
      );
      expect(late).toEqual([]);
      expect(await frozen.lost).toContain('terminating connection');
    } finally {
      await frozen.close();
    }
  });

  it('ends its term by its own clock when the database is silent', async () => {
    const wire = await FaultyWire.open();
    try {
      const leader = stand({ url: wire.through(database.workerUrl) });
      await until(() => leader.terms.length === 1, 'a leader');
      wire.freeze();
      await until(() => leader.ended.length === 1, 'the end of the term');
      expect(leader.terms[0]?.holds()).toBe(false);
      expect(leader.ended[0]).toContain('did not answer');
      const next = stand();
      await until(() => next.terms.length === 1, 'the next leader');
      expect(next.terms[0]?.epoch).toBe(2);
    } finally {
      await wire.close();
    }
  });

  it('does not end the session of a holder that renews', async () => {
    const leader = stand();
    await until(() => leader.terms.length === 1, 'a leader');
    const rival = stand();
    // Someone wrote an old time; the holder is healthy and renews long before its lease ends.
    await query(`UPDATE kernel.leadership SET backend_pid = 1, expires_at = now() - interval '1 hour'`);
    // The row no longer names the holder's session: no one may end it, and the holder itself notices.
    await until(() => leader.ended.length === 1, 'the end of the term');
    expect(leader.ended[0]).toBe('another candidate was elected');
    expect(rival.takeOvers).toBe(0);
    await until(() => leader.terms.length + rival.terms.length === 2, 'a new leader');
    expect([...leader.terms, ...rival.terms].map(({ epoch }) => epoch).sort()).toEqual([1, 2]);
  });

  it('waits for a database that is away, and goes on with a higher epoch', async () => {
    const leader = stand();
    await until(() => leader.terms.length === 1, 'a leader');
    await postgres().kill();
    await until(() => leader.ended.length === 1, 'the end of the term');
    await postgres().whenReady();
    await until(() => leader.terms.length === 2, 'another term');
    expect(leader.terms[1]?.epoch).toBe(2);
  });

  it('passes on what the leader throws, and what it throws for want of its term stays inside', async () => {
    const failing = standForElection(
      { url: database.workerUrl, name: 'job', holder: 'me', pollMs: 20 },
      () => Promise.reject(new Error('a gap')),
      new AbortController().signal,
    );
    await expect(failing).rejects.toThrow('a gap');
    const leader = stand({}, async (term) => {
      await untilOver(term);
      throw new Error('cut off in the middle');
    });
    await until(() => leader.terms.length === 1, 'a leader');
    await query(`SELECT pg_terminate_backend(backend_pid) FROM kernel.leadership`);
    await until(() => leader.terms.length === 2, 'another term');
  });

  it('gives the lock back when the leader resigns, and stands again', async () => {
    const resigning = stand({}, (term) => (term.epoch < 3 ? Promise.resolve() : untilOver(term)));
    await until(() => resigning.terms.length === 3, 'a third term');
    expect(resigning.ended).toEqual(['it resigned', 'it resigned']);
    await resigning.stop();
    expect(await query(`SELECT FROM pg_locks WHERE locktype = 'advisory'`)).toEqual([]);
  });
});
