import { chmod, cp, mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { archivedEvent, FolderArchive } from '#platform/archive';
import { EvidenceChain, type TestDatabase, TestSigner, withPostgres } from '#dev/testing';
import { replay, type ReplayReport } from '../replay-events';
import { ArchiveSource } from '../sources/archive-source';
import { StoreTarget } from './store-target';

const ORIGIN = 'kernel.test/store-target';
const SHARDS = 2;
/** More than the source hands over at once. */
const EVENTS = 600;
const REBUILT = { mode: 'normal', restoring: false };
const RESTORING = { mode: 'safe-mode', restoring: true };

describe('replay to the event store', () => {
  const postgres = withPostgres();
  const key = new TestSigner('audit-1');
  let chains: EvidenceChain[];
  let dir: string;
  let scratch: string;
  let database: TestDatabase;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kernel-store-target-'));
    dir = join(scratch, 'archive');
    const first = new EvidenceChain(key, ORIGIN, 0, { shards: SHARDS }).found();
    chains = Array.from({ length: SHARDS }, (_, shard) => first.beside(shard));
    for (const chain of chains) {
      const stream = `thing/of-${chain.shard}`;
      while (chain.events.length < EVENTS) chain.append({ stream });
    }
    await fill(dir, EVENTS);
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));
  beforeEach(async () => {
    database = await postgres().createDatabase();
  });
  afterEach(() => database.drop());

  /** The archive of the first events of each shard. */
  async function fill(folder: string, events: number): Promise<void> {
    const archive = await FolderArchive.open({ dir: folder });
    for (const chain of chains) {
      const some = chain.events.slice(0, events);
      await Promise.all(
        some.map((event, at) => archive.put(archivedEvent(event, chain.bytes[at] ?? new Uint8Array()))),
      );
    }
    await archive.close();
  }

  async function run(folder = dir, stop?: { after: number }): Promise<ReplayReport> {
    const source = new ArchiveSource(await FolderArchive.open({ dir: folder }), `the archive in ${folder}`);
    const target = await StoreTarget.open({
      ownerUrl: database.ownerUrl,
      origin: ORIGIN,
      shards: SHARDS,
      sourceName: source.name,
    });
    const interrupt = new AbortController();
    try {
      return await replay({
        source,
        target,
        roots: [key.entry],
        signal: interrupt.signal,
        onProgress: ({ step, events }) => {
          if (step === 'replaying' && events > (stop?.after ?? Number.POSITIVE_INFINITY)) {
            interrupt.abort(new Error('interrupted'));
          }
        },
      });
    } finally {
      await target.close();
      await source.close();
    }
  }

  async function query<R extends object>(sql: string): Promise<R[]> {
    const client = new Client({ connectionString: database.superuserUrl });
    await client.connect();
    try {
      return (await client.query<R>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  const mode = async () => (await query('SELECT mode, restoring FROM kernel.mode'))[0];
  const stored = async (shard: number): Promise<string[]> => {
    const rows = await query<{ canonical: Buffer }>(
      `SELECT canonical FROM kernel.events WHERE shard = ${shard} ORDER BY seq`,
    );
    return rows.map(({ canonical }) => canonical.toString());
  };
  const heads = async () => {
    const rows = await query<{ shard: number; seq: string; hash: string }>(
      `SELECT shard, seq, encode(hash, 'hex') AS hash FROM kernel.shard_head ORDER BY shard`,
    );
    return rows.map(({ seq, ...row }) => ({ ...row, seq: Number(seq) }));
  };
  /** Restores waiting to be recorded in the chain, and whether each has ended. */
  const restores = async () =>
    (
      await query<{ ended: boolean }>('SELECT end_id IS NOT NULL AS ended FROM kernel.restores ORDER BY n')
    ).map(({ ended }) => ended);

  async function expectWhole(): Promise<void> {
    for (const { shard, bytes } of chains) {
      expect(await stored(shard)).toEqual(bytes.map((one) => Buffer.from(one).toString()));
    }
    const ends = chains.map(({ shard, events }) => ({ shard, seq: EVENTS, hash: events.at(-1)?.hash }));
    expect(await heads()).toEqual(ends);
    expect(await mode()).toEqual(REBUILT);
  }

  async function copyOf(name: string): Promise<string[]> {
    const copy = join(scratch, name);
    await cp(dir, copy, { recursive: true });
    const names = await readdir(join(copy, 'audit'), { recursive: true });
    const files = names.filter((one) => one.endsWith('.json')).map((one) => join(copy, 'audit', one));
    return [copy, ...files.sort()];
  }

  it('fills an empty database, in safe-mode, and leaves it at the head of the archive', async () => {
    const report = await run();
    expect(report.events).toBe(SHARDS * EVENTS);
    expect(report.heads.map(({ shard, seq, hash, storeSeq }) => ({ shard, seq, hash, storeSeq }))).toEqual(
      chains.map(({ shard, events }) => ({
        shard,
        seq: EVENTS,
        hash: events.at(-1)?.hash,
        storeSeq: EVENTS,
      })),
    );
    await expectWhole();
    expect(await restores()).toEqual([true]);
  });

  it('goes on where it was interrupted, in safe-mode all the while', async () => {
    await expect(run(dir, { after: EVENTS })).rejects.toThrow('interrupted');
    const part = (await heads()).reduce((sum, { seq }) => sum + seq, 0);
    expect(part).toBeGreaterThan(0);
    expect(part).toBeLessThan(SHARDS * EVENTS);
    expect(await mode()).toEqual(RESTORING);
    await run();
    await expectWhole();
    expect(await restores()).toEqual([true]);
  });

  it('changes nothing in a store that is whole', async () => {
    await run();
    const before = await query('SELECT * FROM kernel.mode');
    await run();
    await expectWhole();
    expect(await query('SELECT * FROM kernel.mode')).toEqual(before);
    expect(await restores()).toEqual([true]);
  });

  it('writes nothing of an archive in which one event was changed, or is missing', async () => {
    const [copy = '', ...files] = await copyOf('changed');
    const victim = files.at(-20) ?? '';
    const text = await readFile(victim, 'utf8');
    await chmod(victim, 0o600);
    await writeFile(victim, text.replace('"text":"event', '"text":"Event'));
    await expect(run(copy)).rejects.toMatchObject({ kind: 'hash' });
    await unlink(victim);
    await expect(run(copy)).rejects.toMatchObject({ kind: 'gap' });
    expect((await heads()).map(({ seq }) => seq)).toEqual([0, 0]);
    expect(await mode()).toEqual(RESTORING);
    await run();
    await expectWhole();
  });

  it('stays in safe-mode where the archive ends before the store', async () => {
    await expect(run(dir, { after: 2 * EVENTS - 500 })).rejects.toThrow('interrupted');
    const short = join(scratch, 'short');
    await fill(short, 100);
    await expect(run(short)).rejects.toThrow(
      /the event store ends at position \d+, the archive in .*short at 100;/,
    );
    expect(await mode()).toEqual(RESTORING);
    const empty = join(scratch, 'empty');
    await fill(empty, 0);
    await expect(run(empty)).rejects.toThrow(/holds no event/);
    expect(await mode()).toEqual(RESTORING);
  });

  it('adds nothing to a store that went its own way', async () => {
    const own = chains;
    const short = join(scratch, 'own-way');
    const other = new EvidenceChain(key, ORIGIN, 0, { shards: SHARDS }).found();
    for (let n = 0; n < 49; n++) other.append({ stream: 'thing/other' });
    chains = [other];
    await fill(short, 51);
    chains = own;
    await run(short);
    const before = await heads();
    await expect(run()).rejects.toMatchObject({ kind: 'fork', shard: 0 });
    expect((await heads())[0]).toEqual(before[0]);
  });
});
