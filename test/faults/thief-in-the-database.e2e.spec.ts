import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type HttpAnswer, withStack, workTree } from '#dev/testing';
import { newEventId } from '#platform/event-store';
import { ContractClient } from '../contract/contract.client';
import { expectSoundChain } from './chain';
import { until } from './until';

const EVENT = { type: 'thing.changed', payload: { n: 1 } };
const ADMIN = '/kernel/admin/mode';

describe('a thief with the password of a database role', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], kernelVariables: { LOG_LEVEL: 'error' } });
  const caller = (name: 'SUPERADMIN' | 'OPERATOR' | 'AUDITOR'): ContractClient =>
    new ContractClient(stack().client(name));

  /** Runs statements as that role; the rows of the last one. */
  async function as(
    role: 'runtimeUrl' | 'workerUrl' | 'ownerUrl',
    ...statements: [string, unknown[]?][]
  ): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: stack().postgres[role] });
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const [text, values] of statements) {
        ({ rows } = await client.query<Record<string, unknown>>(text, values));
      }
      return rows;
    } finally {
      await client.end();
    }
  }

  const append = (options = {}): Promise<HttpAnswer> =>
    caller('OPERATOR').post('/kernel/audit', EVENT, options);

  async function alarms(where: string): Promise<number> {
    const { text } = await stack().management('/metrics');
    return Number(
      new RegExp(`^kernel_integrity_faults_total\\{where="${where}"\\} (\\d+)$`, 'm').exec(text)?.[1],
    );
  }

  const mode = async (): Promise<string> =>
    ((await caller('SUPERADMIN').get(ADMIN)).json as { mode: string }).mode;
  async function change(to: string, reason: string): Promise<void> {
    expect((await caller('SUPERADMIN').post(ADMIN, { mode: to, reason })).status).toBe(200);
  }

  async function restartKernel(): Promise<void> {
    for (const { process } of stack().kernels) {
      await process.kill();
      await process.start();
    }
    await until('the kernel is ready', async () => (await stack().management('/ready')).status === 200);
  }

  const changes = async (): Promise<unknown[]> =>
    (await expectSoundChain(stack())).events.filter(({ type }) => type === 'mode.changed');

  function expectIntegrity(answer: HttpAnswer): void {
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({ error: 'integrity', error_id: expect.any(String) });
  }

  describe('of the kernel', () => {
    it('has no change of the mode signed, and none obeyed', async () => {
      const forged = [
        newEventId(),
        JSON.stringify({ id: 'boss.example.com', kind: 'human', roles: ['SuperAdmin'] }),
        randomBytes(32),
      ];
      await as(
        'runtimeUrl',
        [
          `INSERT INTO kernel.mode_changes VALUES (1, $1, 'normal', 'safe-mode', 'forged', $2, now(), $3)`,
          forged,
        ],
        [`NOTIFY kernel_mode`],
      );
      await until('the alarm', async () => (await alarms('mode')) > 0);
      expect(await mode()).toBe('normal');
      const { status, text } = await stack().management('/ready');
      expect([status, text.includes('not made by this kernel')]).toEqual([200, true]);
      expect(await stack().log('kernel')).toContain('were not made by this kernel');
      // A later change is recorded, and the forged one, which comes before it, is not.
      await change('read-only', 'genuine');
      await change('normal', 'genuine');
      expect(await changes()).toEqual([
        expect.objectContaining({ payload: expect.objectContaining({ change: 1, reason: 'genuine' }) }),
        expect.objectContaining({ payload: expect.objectContaining({ change: 2, reason: 'genuine' }) }),
      ]);
      await as('ownerUrl', ['DELETE FROM kernel.mode_changes WHERE event_id = $1', [forged[0]]]);
    });

    it('does not get the kernel out of safe-mode with an old row that is genuine, nor over a restart', async () => {
      await change('safe-mode', 'keys in doubt');
      const [old] = await as('runtimeUrl', ['SELECT * FROM kernel.mode_changes WHERE version = 2']);
      const before = await alarms('mode');
      await as('runtimeUrl', [
        `UPDATE kernel.mode SET mode = 'normal', reason = $1, actor = $2, since = $3, version = 2`,
        [old?.['reason'], JSON.stringify(old?.['actor']), old?.['changed_at']],
      ]);
      await until('the alarm', async () => (await alarms('mode')) > before);
      expect(await mode()).toBe('safe-mode');
      // As a new row, with another place in the order: its MAC says the old one.
      await as('runtimeUrl', [
        `INSERT INTO kernel.mode_changes SELECT 99, $1, from_mode, to_mode, reason, actor, changed_at, mac
         FROM kernel.mode_changes WHERE version = 2`,
        [newEventId()],
      ]);
      await restartKernel();
      expect(await mode()).toBe('safe-mode');
      expect((await append()).json).toMatchObject({ error: 'safe_mode' });
      for (const statement of [
        'DELETE FROM kernel.mode_changes',
        `UPDATE kernel.mode_changes SET to_mode = 'normal'`,
        'UPDATE kernel.mode SET restoring = true',
        'INSERT INTO kernel.restores (begin_id, reason, began_at) VALUES (gen_random_uuid(), $$x$$, now())',
        `INSERT INTO kernel.repairs VALUES (DEFAULT, gen_random_uuid(), 0, 1, 1, '[]', '', '', now())`,
      ]) {
        await expect(as('runtimeUrl', [statement])).rejects.toMatchObject({ code: '42501' });
      }
      // The owner loses the rows altogether: the chain still says safe-mode.
      await as('ownerUrl', ['DELETE FROM kernel.mode_changes']);
      await restartKernel();
      expect(await mode()).toBe('safe-mode');
      await change('normal', 'looked into');
      expect(await mode()).toBe('normal');
      expect((await append()).status).toBe(201);
      expect((await changes()).at(-1)).toMatchObject({
        payload: { change: 4, from: 'safe-mode', to: 'normal' },
      });
    });

    it('has no answer served that the kernel did not give', async () => {
      expect((await append({ idempotencyKey: 'genuine' })).status).toBe(201);
      const [row] = await as('runtimeUrl', [`SELECT * FROM kernel.idempotency WHERE key = 'genuine'`]);
      const insert = (key: string, body: string): [string, unknown[]] => [
        `INSERT INTO kernel.idempotency (caller, key, request_hash, status, body, created_at, mac)
         VALUES ($1, $2, $3, 201, $4, $5, $6)`,
        [row?.['caller'], key, row?.['request_hash'], Buffer.from(body), row?.['created_at'], row?.['mac']],
      ];
      const head = (await caller('AUDITOR').get('/kernel/audit/head')).text;
      const forged = '{"events":[],"position":"0:1"}';
      await as('runtimeUrl', insert('forged', forged));
      expectIntegrity(await append({ idempotencyKey: 'forged' }));
      await as(
        'runtimeUrl',
        [`DELETE FROM kernel.idempotency WHERE key = 'genuine'`],
        insert('genuine', forged),
      );
      expectIntegrity(await append({ idempotencyKey: 'genuine' }));
      expect((await caller('AUDITOR').get('/kernel/audit/head')).text).toBe(head);
      expect(await alarms('answer')).toBe(2);
    });

    it('stops the writes with a row that is no event, which is seen, told, and repaired by the owner', async () => {
      const id = newEventId();
      const garbage = JSON.stringify({ id, payload: { text: 'not signed' } });
      const hash = createHash('sha256').update(garbage).digest();
      const [head] = await as('runtimeUrl', ['SELECT seq, ts FROM kernel.shard_head WHERE shard = 0']);
      const seq = Number(head?.['seq']) + 1;
      await as(
        'runtimeUrl',
        ['BEGIN'],
        ['UPDATE kernel.shard_head SET seq = $1, hash = $2 WHERE shard = 0', [seq, hash]],
        [
          `INSERT INTO kernel.events SELECT 0, $1, $2, ts, 'signer.added', 'signer/mine', 1, 'thief', NULL, 'mine', $3, $4
           FROM kernel.shard_head WHERE shard = 0`,
          [seq, id, hash, Buffer.from(garbage)],
        ],
        ['COMMIT'],
      );
      expectIntegrity(await append());
      expect(await alarms('head')).toBeGreaterThan(0);
      expectIntegrity(await caller('AUDITOR').get(`/kernel/audit/${id}`));
      expect(await alarms('event')).toBeGreaterThan(0);
      const relay = stack().worker('outbox-relay');
      await until(
        'the relay stops',
        async () => (await fetch(`${relay.managementUrl}/ready`)).status === 503,
      );
      expect(await (await fetch(`${relay.managementUrl}/ready`)).text()).toContain('no event of this kernel');
      await restartKernel();
      expectIntegrity(await append());

      const out = join(stack().dir, `${randomUUID()}.ndjson`);
      const { ownerUrl } = stack().postgres;
      const repair = async (from: number): Promise<string> => {
        const program = join(workTree(), 'dist', 'apps', 'cli', 'main.js');
        const args = [
          '--shard',
          '0',
          '--from',
          String(from),
          '--reason',
          'CHG-1',
          '--by',
          'ada',
          '--out',
          out,
        ];
        const { stdout, stderr } = await promisify(execFile)(
          process.execPath,
          [program, 'audit', 'repair', '--yes', ...args],
          {
            env: { DATABASE_OWNER_URL: ownerUrl },
          },
        ).catch((error: Error & { stdout: string; stderr: string }) => error);
        return stdout + stderr;
      };
      expect(await repair(seq)).toContain('not in safe-mode');
      await change('safe-mode', 'a row that is no event');
      expect(await repair(seq - 1)).toContain(`0:${seq - 1} is an event of this kernel`);
      expect(await repair(seq + 1)).toContain(`there is nothing at 0:${seq + 1}`);
      expect(await repair(seq)).toContain(`removed 0:${seq} to 0:${seq}`);
      const kept = JSON.parse(await readFile(out, 'utf8')) as { canonical: string };
      expect(Buffer.from(kept.canonical, 'base64').toString()).toBe(garbage);
      await change('normal', 'repaired');
      await relay.process.kill();
      await relay.process.start();
      expect((await append()).status).toBe(201);
      const chain = await expectSoundChain(stack());
      expect(chain.events.filter(({ type }) => type === 'store.repaired')).toEqual([
        expect.objectContaining({
          stream: 'kernel/store',
          payload: expect.objectContaining({
            shard: 0,
            fromSeq: seq,
            toSeq: seq,
            reason: 'CHG-1',
            statedBy: 'ada',
            removed: {
              count: 1,
              sha256: createHash('sha256')
                .update(await readFile(out))
                .digest('hex'),
              rows: [{ seq, sha256: hash.toString('hex') }],
            },
          }),
        }),
      ]);
      // The guards are on again.
      for (const statement of ['DELETE FROM kernel.events', 'UPDATE kernel.shard_head SET seq = 1']) {
        await expect(as('ownerUrl', [statement])).rejects.toMatchObject({ code: '23001' });
      }
    });
  });

  describe('of the workers', () => {
    it('has no row of the index served that is not the event that was asked for', async () => {
      const indexer = stack().worker('indexer');
      expect((await append()).status).toBe(201);
      await until('the index has everything', async () => {
        const [{ behind } = { behind: true }] = await as('workerUrl', [
          `SELECT h.seq > (SELECT max(seq) FROM kernel_index.events) AS behind FROM kernel.shard_head h`,
        ]);
        return behind === false;
      });
      await indexer.process.kill();
      const list = (query: string) => caller('AUDITOR').get(`/kernel/audit?${query}`);
      expect((await list('type=thing.changed')).status).toBe(200);
      const insert = (type: string): [string] => [
        `INSERT INTO kernel_index.events
         SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'seq', e.seq + 1, 'type', '${type}',
           'stream', '${type}/1', 'stream_version', 1))).*
         FROM kernel_index.events e ORDER BY seq DESC LIMIT 1`,
      ];
      // A genuine event under another type and at another place.
      await as('workerUrl', insert('thing.lied'));
      expectIntegrity(await list('type=thing.lied'));
      expect((await list('type=thing.changed')).status).toBe(200);
      expect(await alarms('index')).toBe(1);
      await expect(
        as('workerUrl', [`INSERT INTO kernel.events SELECT * FROM kernel.events LIMIT 1`]),
      ).rejects.toMatchObject({ code: '42501' });
      await expect(as('workerUrl', [`UPDATE kernel.mode SET mode = 'normal'`])).rejects.toMatchObject({
        code: '42501',
      });
    });
  });
});
