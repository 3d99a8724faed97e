import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { signersJson, type ChainFault } from '#evidence';
import { migrate } from '#platform/event-store';
import { EvidenceChain, TestSigner, withPostgres, workTree, type TestDatabase } from '#dev/testing';

const VERIFIER = join(workTree(), 'tools', 'audit-verify.js');

/** A position far behind the end: counting up to it would take forever. */
const FAR = Number.MAX_SAFE_INTEGER;

/** The real tables, filled with a chain; then what an intruder with every right could do to them. */
describe('audit-verify.js --database-url', () => {
  const postgres = withPostgres();
  const signer = new TestSigner('k1');
  const first = new EvidenceChain(signer, 'kernel.example.com/test', 0, { shards: 2 });
  const chains = [first, first.beside(1)];
  let dir: string;
  let signers: string;
  let template: TestDatabase;
  let database: TestDatabase;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'audit-verify-database-'));
    signers = join(dir, 'signers.json');
    writeFileSync(signers, signersJson([signer.entry], first.origin, { shards: 2, approverPool: null }));
    first.found().appendMany(2_499);
    for (let i = 0; i < 3; i++) chains[1]?.append({ stream: 'thing/other', payload: { text: 'Zoë 😀' } });
    template = await postgres().createDatabase();
    await migrate(template.ownerUrl, {
      shards: 2,
      origin: 'kernel.example.com/test',
      runtimeRole: postgres().runtimeRole,
    });
    await asIntruder(template, async (client) => {
      for (const { events, bytes, shard } of chains) {
        for (const [i, event] of events.entries()) await insert(client, event, bytes[i] as Uint8Array);
        const head = events.at(-1);
        await client.query('UPDATE kernel.shard_head SET seq = $2, hash = $3, ts = $4 WHERE shard = $1', [
          shard,
          head?.seq,
          Buffer.from(head?.hash ?? '', 'hex'),
          head?.ts,
        ]);
      }
    });
  });
  beforeEach(async () => {
    database = await postgres().createDatabase({ template: template.name });
  });
  afterEach(() => database.drop());
  afterAll(() => rmSync(dir, { recursive: true }));

  const heads = (): string[] =>
    chains.flatMap(({ events }) => {
      const { shard, seq, hash } = events.at(-1) ?? { shard: 0, seq: 0, hash: '' };
      return ['--expect-head', `${shard}:${seq}:${hash}`];
    });

  function run(...more: string[]): { status: number | null; stdout: string; stderr: string } {
    const args = ['--signers', signers, '--database-url', database.superuserUrl, '--jobs', '2', ...more];
    return spawnSync(process.execPath, [VERIFIER, ...args], { encoding: 'utf8' });
  }

  function faults(...more: string[]): string[] {
    const report = JSON.parse(run('--json', ...more).stdout) as { faults: ChainFault[] };
    return report.faults.map(({ code, shard, seq }) => `${code} ${shard}:${seq}`);
  }

  it('verifies every shard, or the one that is asked for', () => {
    const [last, second] = chains.map(({ events }) => events.at(-1));
    const verdict =
      `Audit chain verified. Head hash: ${last?.hash} (shard 0, position 0:2501)\n` +
      `Audit chain verified. Head hash: ${second?.hash} (shard 1, position 1:3)\n`;
    expect(run(...heads())).toMatchObject({ status: 0, stdout: verdict });
    // The store's own account of its heads is no anchor: who cuts the chain also cuts that.
    expect(run().stdout).toBe(
      'the end is not anchored: no expected head, day manifest or checkpoint vouches for 0:1 to 0:2501, 1:1 to 1:3\n' +
        verdict,
    );
    expect(run('--shard', '1').stdout).toContain(`\nAudit chain verified. Head hash: ${second?.hash}\n`);
    expect(run('--from', '2000', '--shard', '0').stdout).toContain(
      `\nAudit chain verified. Head hash: ${last?.hash}\n`,
    );
  });

  it('reads the database that DATABASE_URL names where nothing else is named', () => {
    const options = { encoding: 'utf8', env: { DATABASE_URL: database.superuserUrl } } as const;
    const args = [VERIFIER, '--signers', signers, '--jobs', '1', ...heads()];
    const { status, stdout } = spawnSync(process.execPath, args, options);
    expect({ status, lines: stdout.trimEnd().split('\n').length }).toEqual({ status: 0, lines: 2 });
    expect(stdout).toContain(`Head hash: ${chains[0]?.events.at(-1)?.hash} `);
  });

  it('finds a payload, a hash column and a position column that were changed', async () => {
    await asIntruder(database, async (client) => {
      await client.query(
        `UPDATE kernel.events SET canonical = convert_to(replace(convert_from(canonical, 'UTF8'), 'event 700', 'event 701'), 'UTF8')
         WHERE shard = 0 AND seq = 700`,
      );
      await client.query(
        "UPDATE kernel.events SET hash = decode(repeat('00', 32), 'hex') WHERE shard = 0 AND seq = 800",
      );
      await client.query(
        `CREATE TABLE far PARTITION OF kernel.events FOR VALUES FROM (0, ${FAR}) TO (0, ${FAR}::bigint + 1)`,
      );
      await client.query(`UPDATE kernel.events SET seq = ${FAR} WHERE shard = 0 AND seq = 900`);
    });
    expect(faults()).toEqual(['hash 0:700', 'format 0:800', 'gap 0:900', 'order 0:900', `format 0:${FAR}`]);
  });

  it('finds rows that are gone, in the middle and at the end', async () => {
    await asIntruder(database, async (client) => {
      await client.query('DELETE FROM kernel.events WHERE shard = 0 AND (seq = 1000 OR seq > 2400)');
      await client.query('DELETE FROM kernel.events WHERE shard = 1');
    });
    expect(faults()).toEqual(['gap 0:1000', 'truncation 0:2501', 'truncation 1:3']);
  });

  it('finds a chain that was cut together with its head only by a head seen earlier', async () => {
    const cut = chains[0]?.events[2_399];
    await asIntruder(database, async (client) => {
      await client.query('DELETE FROM kernel.events WHERE shard = 0 AND seq > 2400');
      await client.query('UPDATE kernel.shard_head SET seq = 2400, hash = $1 WHERE shard = 0', [
        Buffer.from(cut?.hash ?? '', 'hex'),
      ]);
    });
    expect(faults()).toEqual([]);
    const head = chains[0]?.events.at(-1);
    expect(faults('--expect-head', `0:${head?.seq}:${head?.hash}`)).toEqual(['truncation 0:2501']);
  });

  it('finds a registry event that its column hides, so that keys would be judged without it', async () => {
    await asIntruder(database, (client) =>
      client.query("UPDATE kernel.events SET type = 'thing.happened' WHERE shard = 0 AND seq = 2"),
    );
    expect(faults()).toContain('format 0:2');
  });

  it('reads on when a row is no UTF-8', async () => {
    await asIntruder(database, (client) =>
      client.query("UPDATE kernel.events SET canonical = '\\xff00' WHERE shard = 0 AND seq = 5"),
    );
    expect(faults()).toEqual(['format null:null', 'gap 0:5']);
    expect(run().stdout).toMatch(/^format: event unknown, position unknown: row 0:5: /);
  });

  it('verifies with the rights of the kernel', () => {
    const args = ['--signers', signers, '--database-url', database.runtimeUrl];
    expect(spawnSync(process.execPath, [VERIFIER, ...args]).status).toBe(0);
  });
});

/** Everything is possible for a superuser who switches the triggers off. */
async function asIntruder(database: TestDatabase, act: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: database.superuserUrl });
  await client.connect();
  try {
    await client.query(
      'ALTER TABLE kernel.events DISABLE TRIGGER ALL; ALTER TABLE kernel.shard_head DISABLE TRIGGER ALL',
    );
    await act(client);
  } finally {
    await client.end();
  }
}

async function insert(
  client: Client,
  event: EvidenceChain['events'][number],
  bytes: Uint8Array,
): Promise<void> {
  await client.query({
    name: 'insert',
    text: `INSERT INTO kernel.events (shard, seq, id, ts, type, stream, stream_version, actor_id, signer_kid, hash, canonical)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    values: [
      event.shard,
      event.seq,
      event.id,
      event.ts,
      event.type,
      event.stream,
      event.streamVersion,
      event.actor.id,
      event.signerKid,
      Buffer.from(event.hash, 'hex'),
      Buffer.from(bytes),
    ],
  });
}
