import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { Webhook } from 'standardwebhooks';
import { describeWithKafka, describeWithS3, type MtlsClient, WebhookReceiver, withStack } from '#dev/testing';
import { type Head, type LegalHold } from '#openapi/kernel';
import { defineConfig, flag, loadConfig, wholeNumber } from '#platform/process';
import { until } from '../faults/until';
import { type OddEvent, oddEvents, oddTexts } from './odd-events';
import { runAudit } from './run-audit';

const settings = defineConfig({
  NIGHTLY: { schema: flag(), description: '20,000 random events, others each night.', default: false },
  PIPELINE_EVENTS: {
    schema: wholeNumber({ min: 100, max: 1_000_000 }).optional(),
    description: 'Random events that go through the whole pipeline; default 600, in the nightly run 20,000.',
  },
  FUZZ_SEED: {
    schema: wholeNumber({ min: 1, max: 2_147_483_647 }).optional(),
    description: 'Repeats the events of an earlier run, which names its seed when it fails.',
  },
});
const { nightly, pipelineEvents: EVENTS = nightly ? 20_000 : 600, fuzzSeed } = loadConfig(settings);
const SEED = fuzzSeed ?? (nightly ? 1 + (Date.now() % 2_147_483_647) : 1);
/** Events between two commands of the kernel's own: holds, upgrades, divisions, signatures. */
const EVENTS_PER_COMMAND = 50;
const AT_ONCE = 8;
const TIME_LIMIT_MS = 240_000 + EVENTS * 30;

const folder = mkdtempSync(join(tmpdir(), 'kernel-test-odd-'));
let receiver: WebhookReceiver;
beforeAll(async () => {
  receiver = await WebhookReceiver.start();
});
afterAll(async () => {
  await receiver.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function inParallel<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) await work(items[at] as T, at);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

describeWithS3(`${EVENTS} legal random events (FUZZ_SEED=${SEED})`, () => {
  describeWithKafka('over Kafka and S3', () => {
    const stack = withStack({
      shards: 2,
      stream: 'kafka',
      archive: 's3',
      workers: ['outbox-relay', 'indexer', 'archiver', 'log-publisher', 'auditor'],
      kernelVariables: () => {
        const secretFile = join(folder, 'secret');
        writeFileSync(secretFile, `${receiver.secret}\n`, { mode: 0o600 });
        return {
          KERNEL_WEBHOOKS: JSON.stringify([{ name: 'everything', url: receiver.url, secretFile }]),
          KERNEL_WEBHOOK_TIMEOUT_MS: '30000',
        };
      },
    });
    let operator: MtlsClient;
    let admin: MtlsClient;
    let database: Client;
    /** Subscribed to all types before the first event. */
    let hook: WebhookReceiver;
    let webhook: { id: string; signingSecret: string };
    const upgrades: string[] = [];
    const holds: { shard: number; fromSeq: number; toSeq: number; reason: string }[] = [];

    const rows = async <T>(sql: string): Promise<T[]> => (await database.query(sql)).rows as T[];
    const heads = async (): Promise<Head[]> => (await operator.get('/kernel/audit/head')).json as Head[];

    async function record(event: OddEvent): Promise<void> {
      const answer = await operator.post('/kernel/audit', event);
      if (answer.status !== 201) throw new Error(`${answer.text}: ${JSON.stringify(event).slice(0, 2_000)}`);
    }

    /** Commands of the kernel's own, with odd texts wherever a person gives one. */
    async function command(text: string, n: number): Promise<void> {
      const extra = { note: `${text}\0`, [text]: ['\0', { when: '0000-01-01T00:00:00Z' }] };
      const manifest = { upgradeId: `odd-${n}`, type: 'code', target: text, rationale: text, ...extra };
      const proposed = await operator.post('/kernel/upgrade', { manifest, submittedBy: text });
      expect([proposed.status, proposed.text]).toEqual([201, expect.any(String)]);
      upgrades.push(manifest.upgradeId);
      if (n % 2 === 0) {
        const answer = await operator.post(`/kernel/upgrade/${manifest.upgradeId}/withdraw`, {
          reason: text,
        });
        expect(answer.status).toBe(200);
      }
      const signed = await operator.post('/kernel/sign', {
        manifest: { id: `odd-${n}`, kind: 'odd', ...extra },
      });
      expect([signed.status, signed.text]).toEqual([200, expect.any(String)]);
      const division = { id: `odd-${n}`, name: text, goals: [text, '\0'], metadata: extra };
      const registered = await operator.post('/kernel/division', division);
      expect([registered.status, registered.text]).toEqual([200, expect.any(String)]);
      const { shard, seq } = (await heads())[n % 2] as Head;
      const range = { shard, fromSeq: Math.max(1, seq - 3), toSeq: seq };
      const held = await admin.post('/kernel/audit/legal-hold', { ...range, hold: true, reason: text });
      if (held.status === 409) return;
      expect([held.status, held.text]).toEqual([201, expect.any(String)]);
      holds.push({ ...range, reason: text });
    }

    beforeAll(async () => {
      operator = stack().client('OPERATOR');
      admin = stack().client('SUPERADMIN');
      const name = new URL(stack().postgres.ownerUrl).pathname.slice(1);
      database = new Client({ connectionString: stack().postgres.urlFor('superuser', name) });
      // The stack goes down before this connection does.
      database.on('error', () => undefined);
      await database.connect();
      const { cert, key } = stack().identities.kernelServer;
      hook = await WebhookReceiver.start({
        cert: readFileSync(cert, 'utf8'),
        key: readFileSync(key, 'utf8'),
      });
      const subscribed = await admin.post('/kernel/webhooks', { url: hook.url });
      expect(subscribed.status).toBe(201);
      webhook = subscribed.json as typeof webhook;
      await inParallel(oddEvents(EVENTS, SEED), record);
      await inParallel(oddTexts(Math.ceil(EVENTS / EVENTS_PER_COMMAND), SEED), command);
    }, TIME_LIMIT_MS);
    afterAll(async () => {
      await hook.stop();
      await database.end();
    });

    it(
      'come through the relay, the index, the archive and the log up to the head',
      async () => {
        const behind = async (): Promise<string[]> =>
          (
            await rows<{ what: string }>(
              `SELECT c.consumer || ' ' || h.shard || ' at ' || coalesce(p.seq, 0) || ' of ' || h.seq AS what
             FROM kernel.shard_head h CROSS JOIN (VALUES ('indexer'), ('archiver')) c(consumer)
             LEFT JOIN kernel.stream_positions p ON p.shard = h.shard AND p.consumer = c.consumer
             WHERE coalesce(p.seq, 0) < h.seq
             UNION ALL SELECT 'relay ' || h.shard FROM kernel.shard_head h
             LEFT JOIN kernel.relay_cursors r ON r.shard = h.shard WHERE coalesce(r.seq, 0) < h.seq`,
            )
          ).map(({ what }) => what);
        let last: string[] = [];
        await until(
          'every consumer is at the head',
          async () => (last = await behind()).length === 0,
          TIME_LIMIT_MS,
        ).catch((error: unknown) => {
          throw new Error(`${String(error)}: ${last.join(', ')}`);
        });
        for (const { shard, seq } of await heads()) {
          const { listenUrl } = stack().worker('log-publisher');
          const published = async (): Promise<number> =>
            Number((await (await fetch(`${listenUrl}/log/${shard}/checkpoint`)).text()).split('\n')[1]);
          await until(
            `the log of shard ${shard} has ${seq} events`,
            async () => (await published()) === seq,
            120_000,
          );
        }
      },
      TIME_LIMIT_MS,
    );

    it(
      'are the same in store, index and archive',
      async () => {
        const different = await rows(
          `SELECT coalesce(e.shard, i.shard) AS shard, coalesce(e.seq, i.seq) AS seq
         FROM kernel.events e FULL JOIN kernel_index.events i USING (shard, seq)
         WHERE e.canonical IS DISTINCT FROM i.canonical LIMIT 5`,
        );
        expect(different).toEqual([]);
        const total = (await heads()).reduce((sum, { seq }) => sum + seq, 0);
        expect(total).toBeGreaterThanOrEqual(EVENTS);
        const audit = await runAudit(stack());
        expect(audit).toMatchObject({ code: 0, stderr: '' });
        expect(audit.stdout).toContain(`clean, ${total} events, ${total} objects, `);
      },
      TIME_LIMIT_MS,
    );

    it(
      'are listed and exported to the last one',
      async () => {
        const total = (await heads()).reduce((sum, { seq }) => sum + seq, 0);
        let listed = 0;
        for (let cursor: string | null = ''; cursor !== null;) {
          const path = `/kernel/audit?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`;
          const page = (await operator.get(path)).json as { events: unknown[]; nextCursor: string | null };
          listed += page.events.length;
          cursor = page.nextCursor;
        }
        expect(listed).toBe(total);
        for (const { shard, seq } of await heads()) {
          const lines = (await operator.get(`/kernel/audit/export?shard=${shard}`)).text.split('\n');
          expect(lines.length - 1).toBe(seq);
        }
      },
      TIME_LIMIT_MS,
    );

    it('leave the holds applied, each with its reason', async () => {
      const known = async (): Promise<LegalHold[]> =>
        ((await admin.get('/kernel/audit/legal-hold')).json as { legalHolds: LegalHold[] }).legalHolds;
      await until(
        'the holds are applied',
        async () => (await known()).filter(({ status }) => status === 'applied').length === holds.length,
        120_000,
      );
      const reasons = new Map((await known()).map((hold) => [`${hold.shard}:${hold.fromSeq}`, hold.reason]));
      for (const { shard, fromSeq, reason } of holds) {
        expect(reasons.get(`${shard}:${fromSeq}`)).toBe(reason);
      }
    }, 180_000);

    it('leave no notification behind', async () => {
      const told = (): Set<unknown> =>
        new Set(
          receiver.received
            .filter(({ type, authentic }) => type === 'upgrade.proposed' && authentic)
            .map(({ body }) => body.data['upgradeId']),
        );
      await until('every proposal was told', () => told().size === upgrades.length, 120_000);
      const left = await rows(`SELECT id FROM kernel.webhook_deliveries WHERE state = 'dead'`);
      expect(left).toEqual([]);
    }, 180_000);

    it(
      'are sent to a webhook of all types, each as it is in the chain, or are in its dead letters',
      async () => {
        const wanted = new Map(
          (
            await rows<{ id: string; canonical: Buffer }>(
              `SELECT id, canonical FROM kernel.events WHERE ts >= (
                 SELECT ts FROM kernel.events WHERE type = 'webhook.subscribed')`,
            )
          ).map(({ id, canonical }) => [id, canonical.toString('utf8')]),
        );
        expect(wanted.size).toBeGreaterThanOrEqual(EVENTS);
        const dead = async (): Promise<string[]> =>
          (
            await rows<{ id: string }>(
              `SELECT event_id AS id FROM kernel.webhook_retries WHERE state = 'dead'`,
            )
          ).map(({ id }) => id);
        const left = async (): Promise<string[]> => {
          const had = new Set([...hook.received.map(({ id }) => id), ...(await dead())]);
          return [...wanted.keys()].filter((id) => !had.has(id));
        };
        let last: string[] = [];
        await until(
          'every event was sent',
          async () => (last = await left()).length === 0,
          TIME_LIMIT_MS,
        ).catch((error: unknown) => {
          throw new Error(`${String(error)}: ${last.length} are left, ${last.slice(0, 5).join(', ')}`);
        });
        // The receiver takes everything.
        expect(await dead()).toEqual([]);
        const verifier = new Webhook(webhook.signingSecret);
        for (const { id, raw } of hook.received) {
          if (!wanted.has(id)) continue;
          expect(raw.text.endsWith(`,"data":${wanted.get(id)}}`)).toBe(true);
          // Not by `verify`: what came first is older than the five minutes that it lets through.
          const at = new Date(Number(raw.headers['webhook-timestamp']) * 1_000);
          expect(raw.headers['webhook-signature']).toBe(verifier.sign(id, at, raw.text));
        }
        const pending = await rows(`SELECT event_id FROM kernel.webhook_retries WHERE state = 'pending'`);
        expect(pending).toEqual([]);
      },
      TIME_LIMIT_MS,
    );

    it('leave every process ready', async () => {
      const urls = [...stack().workers, ...stack().kernels].map(({ managementUrl }) => managementUrl);
      const states = await Promise.all(
        urls.map(async (url) => {
          const answer = await fetch(`${url}/ready`);
          return { status: answer.status, text: await answer.text() };
        }),
      );
      expect(states.filter(({ status }) => status !== 200)).toEqual([]);
    });
  });
});
