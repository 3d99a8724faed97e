import { get } from 'node:http';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeWithS3, withPostgres, withS3 } from '#dev/testing';
import { type Archive, ArchiveError, S3Archive } from '#platform/archive';
import {
  type CheckpointSigner,
  LogStorage,
  type WitnessClient,
  type WitnessPolicy,
  type WitnessRequest,
} from '#platform/log';
import { type LogPublisherFixture, openFixture, until } from './log-publisher.fixture';

const postgres = withPostgres();

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: Buffer;
}

function read(port: number, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    }).on('error', reject);
  });
}

/** The archive and the signer of a process that is killed right before its n-th step; every later one fails too. */
function killedBefore(
  n: number,
  archive: Archive,
  signer: CheckpointSigner,
): {
  archive: Archive;
  signer: CheckpointSigner;
  isDead: () => boolean;
} {
  let steps = 0;
  const dying = <T extends object>(target: T, members: readonly string[]): T =>
    new Proxy(target, {
      get(of, member) {
        const value = Reflect.get(of, member) as unknown;
        if (typeof value !== 'function') return value;
        const bound = value.bind(of) as (...args: unknown[]) => unknown;
        if (!members.includes(String(member))) return bound;
        return async (...args: unknown[]) => {
          steps++;
          if (steps >= n) throw new ArchiveError('unavailable', 'killed');
          return bound(...args);
        };
      },
    });
  return {
    archive: dying(archive, ['put', 'replace', 'get']),
    signer: dying(signer, ['sign', 'lastSigned']),
    isDead: () => steps >= n,
  };
}

/** Behaves as every storage of the log has to: run against a folder and a bucket. */
function publishes(open: () => Promise<Archive | undefined>): void {
  let fixture: LogPublisherFixture;
  let archive: Archive | undefined;
  beforeEach(async () => {
    archive = await open();
  });
  afterEach(async () => {
    await fixture.stop();
    await archive?.close();
  });
  const opened = async (shards = 1): Promise<LogPublisherFixture> =>
    (fixture = await openFixture(postgres(), { shards, ...(archive === undefined ? {} : { archive }) }));

  it('publishes every event of every shard, and goes on where it was', async () => {
    await opened(2);
    await fixture.append(600);
    const first = await fixture.start();
    await fixture.caughtUp();
    for (const shard of [0, 1]) {
      const events = (await fixture.stored(shard)).length;
      expect((await fixture.published(shard))?.size).toBe(events === 0 ? undefined : events);
    }
    const metrics = await first.registry.metrics();
    expect(metrics).toContain('kernel_pipeline_lag_events{stage="log-publisher",shard="0"} 0');
    expect(metrics).toMatch(/log_publisher_commit_to_published_seconds_count [1-9]/);
    await first.close();
    await fixture.append(300);
    await fixture.start();
    await fixture.caughtUp();
    expect((await fixture.published(0))?.size).toBe((await fixture.stored(0)).length);
    // Each tree continues the one before: the signer has checked the proof of each.
    expect(fixture.signer.signed.length).toBeGreaterThanOrEqual(2);
  });

  it('keeps exactly the entries, in bundles that a reader can take apart', async () => {
    await opened();
    await fixture.append(300);
    await fixture.start();
    await fixture.caughtUp();
    const events = await fixture.stored();
    const storage = new LogStorage(archive ?? fixture.archive, 0);
    const full = await storage.entries({ level: 'entries', index: 0, width: 256 });
    const rest = await storage.entries({ level: 'entries', index: 1, width: events.length - 256 });
    expect([...full, ...rest].map((entry) => Buffer.from(entry))).toEqual(events);
  });
}

describe('the log in a folder', () => {
  publishes(() => Promise.resolve(undefined));
});

describeWithS3('the log in a bucket', () => {
  const s3 = withS3();
  publishes(async () => {
    const { name: bucket, owner: credentials } = await s3().createBucket();
    const { endpoint, region } = s3();
    return S3Archive.open({
      bucket,
      region,
      endpoint,
      credentials,
      retention: { mode: 'GOVERNANCE', days: 30 },
    });
  });
});

describe('the log publisher', () => {
  let fixture: LogPublisherFixture;
  afterEach(() => fixture.stop());

  it('leaves neither a fork nor a hole when it is killed before any of its steps', async () => {
    fixture = await openFixture(postgres());
    let events = (await fixture.stored()).length;
    let n = 1;
    for (let done = false; !done; n++) {
      await fixture.append(n % 3 === 0 ? 130 : 1);
      events = (await fixture.stored()).length;
      const dying = killedBefore(n, fixture.archive, fixture.signer);
      const publisher = await fixture.start({ archive: dying.archive, signer: dying.signer });
      await until('it is dead or done', async () => dying.isDead() || (await fixture.position()) >= events);
      done = !dying.isDead();
      await publisher.close();
      // What is published is whole, whatever was under way.
      await fixture.published();
      const next = await fixture.start();
      await until('the next one has published', async () => (await fixture.position()) >= events);
      await next.close();
      expect((await fixture.published())?.size).toBe(events);
    }
    expect(n).toBeGreaterThan(10);
  }, 120_000);

  it('goes on from a checkpoint that was signed and never published', async () => {
    fixture = await openFixture(postgres());
    await fixture.append(10);
    fixture.signer.answersLost = 1;
    await fixture.start();
    await fixture.caughtUp();
    const [lost] = fixture.signer.signed;
    expect(lost?.size).toBe(12);
    await fixture.append(10);
    await fixture.caughtUp();
    expect((await fixture.published())?.size).toBe(22);
  });

  it('has one leader; the other takes over, and none of the two signs another tree', async () => {
    fixture = await openFixture(postgres());
    const [one, two] = [await fixture.start(), await fixture.start()];
    await fixture.append(100);
    await fixture.caughtUp();
    const leads = async (publisher: typeof one): Promise<boolean> =>
      (await publisher.registry.metrics()).includes('log_publisher_leader{shard="0"} 1');
    expect([await leads(one), await leads(two)].filter(Boolean)).toHaveLength(1);
    const [leader, other] = (await leads(one)) ? [one, two] : [two, one];
    await leader.close();
    await fixture.append(100);
    await fixture.caughtUp();
    expect(await leads(other)).toBe(true);
    expect((await fixture.published())?.size).toBe(202);
    const sizes = fixture.signer.signed.map(({ size }) => size);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  });

  it('makes a lost log again from its first event, to the root that was signed', async () => {
    fixture = await openFixture(postgres());
    await fixture.append(300);
    const first = await fixture.start();
    await fixture.caughtUp();
    await first.close();
    const before = await fixture.published();
    await rm(join(fixture.dir, 'archive', 'log'), { recursive: true });
    await fixture.start();
    await until('it is published again', async () => (await fixture.published().catch(() => null)) !== null);
    expect((await fixture.published())?.note).toBe(before?.note);
    await fixture.append(5);
    await fixture.caughtUp();
    expect((await fixture.published())?.size).toBe(307);
  });

  it('stops, and says so, when the signed tree is not the one of these events', async () => {
    fixture = await openFixture(postgres());
    await fixture.append(10);
    fixture.signer.last.set(0, { shard: 0, size: 5, root: Buffer.alloc(32, 7) });
    const publisher = await fixture.start();
    const ready = async (): Promise<string> =>
      (await read(publisher.managementPort, '/ready')).body.toString();
    await until('/ready says it', async () => (await ready()).includes('another root at size 5'));
    expect(await fixture.published()).toBeNull();
    expect(fixture.signer.signed).toEqual([]);
    expect(await publisher.registry.metrics()).toMatch(
      /log_publisher_failures_total\{shard="0",kind="fork"\} [1-9]/,
    );
    // Nothing was lost: it goes on by itself once the cause is gone.
    fixture.signer.last.delete(0);
    await fixture.caughtUp();
    expect((await fixture.published())?.size).toBe(12);
  });

  it('does not publish over a tile that somebody changed', async () => {
    fixture = await openFixture(postgres());
    await fixture.append(20);
    const first = await fixture.start();
    await fixture.caughtUp();
    await first.close();
    const tile = join(fixture.dir, 'archive/log/0/tile/0/000.p/22');
    await chmod(tile, 0o600);
    await writeFile(tile, Buffer.alloc(22 * 32));
    await fixture.append(1);
    const publisher = await fixture.start();
    const ready = async (): Promise<string> =>
      (await read(publisher.managementPort, '/ready')).body.toString();
    await until('/ready says it', async () => (await ready()).includes('another root at size 22'));
    expect(fixture.signer.signed.at(-1)?.size).toBe(22);
  });

  it('publishes nothing in production where what is archived can be changed', async () => {
    fixture = await openFixture(postgres());
    await expect(fixture.start({ protectedOnly: true })).rejects.toMatchObject({ code: 'not_protected' });
    expect(await fixture.published()).toBeNull();
  });

  it('waits for a signer that is away, and is ready again after it', async () => {
    fixture = await openFixture(postgres());
    fixture.signer.away = true;
    const publisher = await fixture.start();
    const status = async (): Promise<number> => (await read(publisher.managementPort, '/ready')).status;
    await until('/ready is red', async () => (await status()) === 503);
    expect(await fixture.published()).toBeNull();
    fixture.signer.away = false;
    await fixture.caughtUp();
    await until('/ready is green', async () => (await status()) === 200);
  });

  it('puts back its checkpoint when somebody replaced it with an older one', async () => {
    fixture = await openFixture(postgres());
    await fixture.start({ lookMs: 50 });
    await fixture.caughtUp();
    const storage = new LogStorage(fixture.archive, 0);
    const old = (await storage.checkpoint()) ?? '';
    await fixture.append(3);
    await fixture.caughtUp();
    await storage.publish(old);
    await until('it is back', async () => (await storage.checkpoint()) !== old);
    expect((await fixture.published())?.size).toBe(5);
  });

  it('publishes again when nothing is new', async () => {
    fixture = await openFixture(postgres());
    await fixture.start({ republishMs: 300 });
    await fixture.caughtUp();
    const signed = fixture.signer.signed.length;
    await until('it is signed again', () => fixture.signer.signed.length > signed + 1);
    expect(new Set(fixture.signer.signed.map(({ size }) => size))).toEqual(new Set([2]));
  });

  it('serves checkpoints and hash tiles to anyone, and events to nobody', async () => {
    fixture = await openFixture(postgres());
    await fixture.append(300);
    const { logPort } = await fixture.start();
    await fixture.caughtUp();
    const checkpoint = await read(logPort, '/log/0/checkpoint');
    expect(checkpoint).toMatchObject({ status: 200, headers: { 'cache-control': 'no-cache' } });
    expect(checkpoint.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(checkpoint.body.toString()).toBe((await fixture.published())?.note);
    const tile = await read(logPort, '/log/0/tile/0/000');
    expect(tile.status).toBe(200);
    expect(tile.headers['cache-control']).toContain('immutable');
    expect(tile.body).toHaveLength(256 * 32);
    expect((await read(logPort, '/log/0/tile/0/001.p/46')).body).toHaveLength(46 * 32);
    expect((await read(logPort, '/log/0/tile/0/000', 'HEAD')).body).toHaveLength(0);
    const refused: [string, number][] = [
      ['/log/0/tile/entries/000', 403],
      ['/log/0/tile/0/002', 404],
      ['/log/0/tile/0/../entries/000', 404],
      ['/log/1/checkpoint', 404],
      ['/log/0/tile/0/0', 404],
      ['/', 404],
    ];
    for (const [path, status] of refused)
      expect([path, (await read(logPort, path)).status]).toEqual([path, status]);
    expect((await read(logPort, '/log/0/checkpoint', 'POST')).status).toBe(405);
  });
});

describe('cosignatures', () => {
  let fixture: LogPublisherFixture;
  afterEach(() => fixture.stop());

  /** A witness by the rules of c2sp.org/tlog-witness; `answer` decides how long it takes. */
  class TestWitness implements WitnessClient {
    size = 0;
    asked: WitnessRequest[] = [];
    constructor(
      readonly name: string,
      private readonly answer: (signal: AbortSignal) => Promise<void> = () => Promise.resolve(),
    ) {}

    async addCheckpoint(request: WitnessRequest, signal: AbortSignal) {
      this.asked.push(request);
      await this.answer(signal);
      if (request.oldSize !== this.size) return { conflict: this.size };
      this.size = Number(request.checkpointNote.split('\n')[1]);
      return { cosignatures: [`\u2014 ${this.name} ${Buffer.alloc(76, 1).toString('base64')}`] };
    }
  }

  const never = (signal: AbortSignal): Promise<void> =>
    new Promise((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('no answer')), { once: true }),
    );
  const policyOf = (witnesses: WitnessClient[], quorum: number): WitnessPolicy => ({
    witnesses,
    isQuorum: (names) => names.size >= quorum,
  });

  it('are published with the checkpoint as soon as there are enough; a slow witness delays nobody', async () => {
    fixture = await openFixture(postgres());
    const witnesses = [
      new TestWitness('w1.example/a'),
      new TestWitness('w2.example/b'),
      new TestWitness('slow.example/c', never),
    ];
    const publisher = await fixture.start({ policy: policyOf(witnesses, 2), cosignTimeoutMs: 10_000 });
    const began = performance.now();
    await fixture.caughtUp();
    for (let n = 0; n < 3; n++) {
      await fixture.append(1);
      await fixture.caughtUp();
    }
    expect(performance.now() - began).toBeLessThan(9_000);
    const note = (await fixture.published())?.note ?? '';
    expect(note).toContain('\u2014 w1.example/a ');
    expect(note).toContain('\u2014 w2.example/b ');
    expect(note).not.toContain('slow.example');
    // One request under way, however many checkpoints there were.
    expect(witnesses[2]?.asked).toHaveLength(1);
    expect(await publisher.registry.metrics()).toMatch(
      /log_publisher_cosignatures_total\{witness="w1.example\/a"\} [4-9]/,
    );
  });

  it('that are missing keep a checkpoint back, until they come', async () => {
    fixture = await openFixture(postgres());
    let away = true;
    const witness = new TestWitness('w1.example/a', () =>
      away ? Promise.reject(new Error('away')) : Promise.resolve(),
    );
    const publisher = await fixture.start({ policy: policyOf([witness], 1) });
    const ready = async (): Promise<string> =>
      (await read(publisher.managementPort, '/ready')).body.toString();
    await until('/ready says it', async () => (await ready()).includes('no quorum'));
    expect(await fixture.published()).toBeNull();
    away = false;
    await fixture.caughtUp();
    expect((await fixture.published())?.note).toContain('w1.example');
  });

  it('are asked for with the proof from where the witness is, also when it was ahead of what is known here', async () => {
    fixture = await openFixture(postgres());
    const witness = new TestWitness('w1.example/a');
    const first = await fixture.start({ policy: policyOf([witness], 1) });
    await fixture.append(40);
    await fixture.caughtUp();
    await first.close();
    const before = witness.asked.length;
    await fixture.append(40);
    await fixture.start({ policy: policyOf([witness], 1) });
    await fixture.caughtUp();
    expect(witness.size).toBe(82);
    // The new process knew nothing, was told, and came back with a proof.
    const asked = witness.asked.slice(before);
    expect(asked.slice(0, 2).map(({ oldSize }) => oldSize)).toEqual([0, 42]);
    expect(asked.at(-1)?.oldSize).toBe(42);
    expect(asked.at(-1)?.consistency.length).toBeGreaterThan(0);
  });

  it('that come late are added while their checkpoint is the newest', async () => {
    fixture = await openFixture(postgres());
    const gate = Promise.withResolvers<void>();
    const late = new TestWitness('late.example/b', () => gate.promise);
    await fixture.start({ policy: policyOf([new TestWitness('w1.example/a'), late], 1) });
    await fixture.caughtUp();
    expect((await fixture.published())?.note).not.toContain('late.example');
    gate.resolve();
    await until(
      'it is added',
      async () => (await fixture.published())?.note.includes('late.example') === true,
    );
    expect((await fixture.published())?.note).toContain('w1.example');
  });
});
