import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  AUDIT_REPORT,
  documentEnvelope,
  documentPayload,
  documentSigningInput,
  sealEvent,
  sha256Hex,
} from '#evidence';
import { TestSigner } from '#dev/testing';
import { type AuditRunDocuments } from '#openapi/kernel';
import { newEventId } from '#platform/event-store';
import { until } from '../faults/until';
import { type Fake, fakesOf, type Table } from './fake';
import { KEYS, type LiveKernel, refusalOf } from './live-kernel';

/** PostgreSQL: insufficient_privilege, and restrict_violation of the guards. */
const [NO_RIGHT, GUARD, NO_PARTITION] = ['42501', '23001', '23514'];
/** Each guard is ENABLE ALWAYS, so that it is the owner alone who gets past it, by switching it off. */
const OFF = 'ALTER TABLE kernel.events DISABLE TRIGGER ALL';
const ON = [
  'ALTER TABLE kernel.events ENABLE TRIGGER ALL',
  `DO $$ DECLARE t record; BEGIN
     FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'kernel.events'::regclass AND NOT tgisinternal LOOP
       EXECUTE format('ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER %I', t.tgname);
     END LOOP; END $$`,
];
const KEYS_OFF = 'ALTER TABLE kernel.event_keys DISABLE TRIGGER ALL';
const KEYS_ON = 'ALTER TABLE kernel.event_keys ENABLE ALWAYS TRIGGER event_keys_refuse_change';
const forHeads = (text: string): string => text.replaceAll('kernel.events', 'kernel.shard_head');

/** A row of the event log like the last one, but for some columns. */
const likeTheLast = (columns: string): string =>
  `INSERT INTO kernel.events
   SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'stream', 'thing/forged', ${columns}))).*
   FROM kernel.events e WHERE shard = 0 ORDER BY seq DESC LIMIT 1`;
const becomeTheOwner = `DO $$ BEGIN
  EXECUTE format('SET ROLE %I', (SELECT tableowner FROM pg_tables WHERE schemaname = 'kernel' AND tablename = 'events'));
END $$`;

const runtime =
  (...texts: string[]) =>
  (k: LiveKernel) =>
    k.statement('runtimeUrl', ...texts);
const worker =
  (...texts: string[]) =>
  (k: LiveKernel) =>
    k.statement('workerUrl', ...texts);
const owner =
  (...texts: string[]) =>
  (k: LiveKernel) =>
    k.statement('ownerUrl', ...texts);

export const append = async (k: LiveKernel, idempotencyKey?: string): Promise<string[]> =>
  refusalOf(
    await k
      .as('OPERATOR')
      .post(
        '/kernel/audit',
        { type: 'thing.changed', payload: { n: 1 } },
        idempotencyKey === undefined ? {} : { idempotencyKey },
      ),
  );

async function alarms(k: LiveKernel, where: string): Promise<number> {
  const { text } = await k.stack.management('/metrics');
  const found = new RegExp(`^kernel_integrity_faults_total\\{where="${where}"\\} (\\d+)$`, 'm').exec(text);
  return Number(found?.[1] ?? 0);
}

/** A row that says that a SuperAdmin changed the mode; the alarm is its refusal, if the kernel does not obey. */
async function forgedMode(
  k: LiveKernel,
  role: 'runtimeUrl' | 'ownerUrl',
  version: number,
): Promise<string[]> {
  const before = await alarms(k, 'mode');
  const id = newEventId();
  const actor = { id: 'boss.example.com', kind: 'human', roles: ['SuperAdmin'] };
  await k.query(
    role,
    `INSERT INTO kernel.mode_changes VALUES ($1, $2, 'normal', 'safe-mode', 'forged', $3, now(), $4)`,
    [version, id, JSON.stringify(actor), randomBytes(32)],
  );
  await k.query(role, 'NOTIFY kernel_mode');
  await until('the alarm', async () => (await alarms(k, 'mode')) > before);
  const { json } = await k.as('SUPERADMIN').get('/kernel/admin/mode');
  const recorded = (await k.events()).some((event) => Buffer.from(event).includes('mode.changed'));
  await k.query('ownerUrl', 'DELETE FROM kernel.mode_changes WHERE event_id = $1', [id]);
  return (json as { mode: string }).mode === 'normal' && !recorded ? ['integrity'] : [];
}

/** A stored answer of the kernel, under another key or with another content. */
async function forgedAnswer(k: LiveKernel, columns: string): Promise<string[]> {
  const key = randomUUID();
  const forged = randomUUID();
  await append(k, key);
  await k.query(
    'runtimeUrl',
    `INSERT INTO kernel.idempotency
     SELECT (jsonb_populate_record(i, jsonb_build_object('key', $2::text, ${columns}))).*
     FROM kernel.idempotency i WHERE key = $1`,
    [key, forged],
  );
  return append(k, forged);
}

/** An event that the thief made, as the last one of the chain. @returns what the kernel says of it; it is removed again */
export async function forgedEvent(
  k: LiveKernel,
  role: 'runtimeUrl' | 'ownerUrl',
  make: (seq: number, prevHash: string) => Promise<{ id: string; bytes: Uint8Array; hash: string }>,
  ask: (id: string) => Promise<string[]>,
): Promise<string[]> {
  const [head] = await k.query(role, 'SELECT seq, hash FROM kernel.shard_head WHERE shard = 0');
  const seq = Number(head?.['seq']) + 1;
  const { id, bytes, hash } = await make(seq, (head?.['hash'] as Buffer).toString('hex'));
  await k.transaction(role, async (client) => {
    await client.query('BEGIN');
    await client.query('UPDATE kernel.shard_head SET seq = $1, hash = $2 WHERE shard = 0', [
      seq,
      Buffer.from(hash, 'hex'),
    ]);
    await client.query(
      `INSERT INTO kernel.events SELECT 0, $1, $2, ts, 'thing.lied', $5, 1, 'thief', NULL, 'mine', $3, $4
       FROM kernel.shard_head WHERE shard = 0`,
      [seq, id, Buffer.from(hash, 'hex'), Buffer.from(bytes), `thing/${id}`],
    );
    await client.query('COMMIT');
  });
  try {
    return await ask(id);
  } finally {
    await putBack(k, seq - 1);
  }
}

/** Takes the last events away with the guards off, so that this position is the head again. */
export async function putBack(k: LiveKernel, seq: number): Promise<void> {
  await k.transaction('ownerUrl', async (client) => {
    for (const text of [OFF, forHeads(OFF), KEYS_OFF]) await client.query(text);
    await client.query('DELETE FROM kernel.events WHERE shard = 0 AND seq > $1', [seq]);
    await client.query('DELETE FROM kernel.event_keys WHERE shard = 0 AND seq > $1', [seq]);
    await client.query(
      `UPDATE kernel.shard_head h SET seq = e.seq, hash = e.hash, ts = e.ts
       FROM kernel.events e WHERE e.shard = h.shard AND h.shard = 0 AND e.seq = $1`,
      [seq],
    );
    for (const text of [...ON, ...ON.map(forHeads), KEYS_ON]) await client.query(text);
  });
}

const garbage = (): Promise<{ id: string; bytes: Uint8Array; hash: string }> => {
  const id = newEventId();
  const bytes = Buffer.from(JSON.stringify({ id, payload: { text: 'not signed' } }));
  return Promise.resolve({ id, bytes, hash: createHash('sha256').update(bytes).digest('hex') });
};

/** An event that is right in everything but its signature. */
export const wellMade =
  (k: LiveKernel, signer?: TestSigner) =>
  async (seq: number, prevHash: string): Promise<{ id: string; bytes: Uint8Array; hash: string }> => {
    const [row] = await k.query('ownerUrl', 'SELECT canonical FROM kernel.events ORDER BY seq DESC LIMIT 1');
    const last = JSON.parse((row?.['canonical'] as Buffer).toString()) as { ts: string; signerKid: string };
    const id = newEventId();
    const sealed = sealEvent(
      {
        v: 1,
        id,
        shard: 0,
        seq,
        ts: last.ts,
        type: 'thing.lied',
        stream: `thing/${id}`,
        streamVersion: 1,
        actor: { id: 'boss.example.com', kind: 'human', roles: ['SuperAdmin'] },
        payload: { lie: true },
        correlationId: null,
        causationId: null,
        signerKid: last.signerKid,
        prevHash,
      },
      k.origin,
    );
    const { event, bytes } = sealed.finish(
      signer?.sign(sealed.signingInput) ?? Buffer.alloc(64, 7).toString('base64'),
    );
    return { id, bytes, hash: event.hash };
  };

const RUNTIME_ROLE: Table<LiveKernel> = [
  ['another content of an event', NO_RIGHT, runtime(`UPDATE kernel.events SET type = 'x'`)],
  ['an event that never was', NO_RIGHT, runtime('DELETE FROM kernel.events')],
  ['no events at all', NO_RIGHT, runtime('TRUNCATE kernel.events')],
  ['a log without guards', NO_RIGHT, runtime(OFF)],
  ['a guard that lets everything pass', NO_RIGHT, runtime('DROP FUNCTION kernel.refuse_change() CASCADE')],
  ['the schema of another owner', NO_RIGHT, runtime('ALTER SCHEMA kernel OWNER TO CURRENT_USER')],
  ["the owner's role", NO_RIGHT, runtime(becomeTheOwner)],
  ['a role that may do everything', NO_RIGHT, runtime('ALTER ROLE CURRENT_USER SUPERUSER')],
  ['an older head', GUARD, runtime('UPDATE kernel.shard_head SET seq = seq - 1')],
  ['a later head without events', GUARD, runtime('UPDATE kernel.shard_head SET seq = seq + 1')],
  ['a shard without a head', NO_RIGHT, runtime('DELETE FROM kernel.shard_head')],
  ['an event behind a gap', GUARD, runtime(likeTheLast(`'seq', seq + 2`))],
  ['an event behind the head', GUARD, runtime(likeTheLast(`'seq', seq + 1`))],
  ['an event in the place of another', '23505', runtime(likeTheLast(`'seq', seq`))],
  ['an event of another shard', NO_PARTITION, runtime(likeTheLast(`'shard', 7, 'seq', 1`))],
  ['another origin of the chain', NO_RIGHT, runtime(`UPDATE kernel.chain SET origin = 'x'`)],
  ['another past of the mode', NO_RIGHT, runtime(`UPDATE kernel.mode_changes SET to_mode = 'normal'`)],
  ['no past of the mode', NO_RIGHT, runtime('DELETE FROM kernel.mode_changes')],
  ['a restore that goes on', NO_RIGHT, runtime('UPDATE kernel.mode SET restoring = true')],
  [
    'a restore that was none',
    NO_RIGHT,
    runtime(
      'INSERT INTO kernel.restores (begin_id, reason, began_at) VALUES (gen_random_uuid(), $$x$$, now())',
    ),
  ],
  [
    'a repair that was none',
    NO_RIGHT,
    runtime(`INSERT INTO kernel.repairs VALUES (DEFAULT, gen_random_uuid(), 0, 1, 1, '[]', '', '', now())`),
  ],
  [
    'an audit that the auditor did not make',
    NO_RIGHT,
    runtime(
      `INSERT INTO kernel.audit_runs (id, started_at, outcome) VALUES (gen_random_uuid(), now(), 'failed')`,
    ),
  ],
  [
    'a row of the index',
    NO_RIGHT,
    runtime('INSERT INTO kernel_index.events SELECT * FROM kernel_index.events'),
  ],
  ['the end of a legal hold', NO_RIGHT, runtime('DELETE FROM kernel.legal_holds')],
  ['another progress of the relay', NO_RIGHT, runtime('UPDATE kernel.relay_cursors SET seq = seq + 1')],
  ['an older leadership', GUARD, runtime('UPDATE kernel.leadership SET epoch = epoch - 1')],
  ['a change of the mode by a SuperAdmin', 'integrity', (k) => forgedMode(k, 'runtimeUrl', 1)],
  ['an answer that the kernel never gave', 'integrity', (k) => forgedAnswer(k, `'body', '\\x7b7d'::bytea`)],
  ['the answer to another request', 'integrity', (k) => forgedAnswer(k, `'status', status`)],
  [
    'an event that is none, read',
    'integrity',
    (k) =>
      forgedEvent(k, 'runtimeUrl', garbage, async (id) =>
        refusalOf(await k.as('AUDITOR').get(`/kernel/audit/${id}`)),
      ),
  ],
  [
    'an event that is none, to be built upon',
    'integrity',
    (k) => forgedEvent(k, 'runtimeUrl', garbage, () => append(k)),
  ],
  [
    'an event that is right but for its signature, read',
    'integrity',
    (k) =>
      forgedEvent(k, 'runtimeUrl', wellMade(k), async (id) =>
        refusalOf(await k.as('AUDITOR').get(`/kernel/audit/${id}`)),
      ),
  ],
  [
    'an event that is right but for its signature, to be built upon',
    'integrity',
    (k) => forgedEvent(k, 'runtimeUrl', wellMade(k), () => append(k)),
  ],
];

/** A row of the index like the last one, but for some columns. @returns what the list with this filter says */
async function forgedIndex(k: LiveKernel, columns: string, filter: string): Promise<string[]> {
  const [row] = await k.query(
    'workerUrl',
    `INSERT INTO kernel_index.events
     SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'seq', e.seq + 1, 'stream_version', 1, ${columns}))).*
     FROM kernel_index.events e ORDER BY seq DESC LIMIT 1 RETURNING shard, seq`,
  );
  const words = refusalOf(await k.as('AUDITOR').get(`/kernel/audit?${filter}`));
  await k.query('ownerUrl', 'DELETE FROM kernel_index.events WHERE shard = $1 AND seq = $2', [
    row?.['shard'],
    row?.['seq'],
  ]);
  return words;
}

const AUDIT = { id: '0b1f5b1e-6f0a-4c3e-9a55-3c7d5f3f8a10', startedAt: '2026-01-31T02:00:00.000Z' };
const AUDIT_BODY = Buffer.from('{"verdict":"clean"}');

/** The seal that the auditor would have had made for it, by a key of the thief under the name of the kernel's. */
function ownSeal({ origin }: LiveKernel): Uint8Array {
  const payload = documentPayload(AUDIT_REPORT, {
    ...AUDIT,
    origin,
    verdict: 'clean',
    events: 17,
    findings: 0,
    report: { sha256: sha256Hex(AUDIT_BODY), size: AUDIT_BODY.length },
    signedAt: '2026-01-31T02:00:07.000Z',
  });
  const thief = new TestSigner(KEYS.checkpoint, { purposes: ['checkpoint'] });
  const signature = thief.sign(documentSigningInput(AUDIT_REPORT, payload));
  return documentEnvelope(AUDIT_REPORT, payload, thief.kid, signature);
}

/** A row that says that an audit was clean. @returns what the kernel says of its seal, unless it has a verdict by it */
async function forgedAudit(k: LiveKernel, seal: Uint8Array | null): Promise<string[]> {
  await k.query(
    'workerUrl',
    `INSERT INTO kernel.audit_runs (id, started_at, outcome, events, findings, report, seal) VALUES ($1, $2, 'clean', 17, 0, $3, $4)`,
    [AUDIT.id, AUDIT.startedAt, AUDIT_BODY, seal === null ? null : Buffer.from(seal)],
  );
  const { json } = await k.as('AUDITOR').get(`/kernel/audit-runs/${AUDIT.id}`);
  await k.query('ownerUrl', 'DELETE FROM kernel.audit_runs');
  const { verdict, seal: state } = (json as AuditRunDocuments).run;
  return verdict === null ? [state] : [];
}

const WORKER_ROLE: Table<LiveKernel> = [
  ['an event', NO_RIGHT, worker(likeTheLast(`'seq', seq + 1`))],
  ['another content of an event', NO_RIGHT, worker(`UPDATE kernel.events SET type = 'x'`)],
  ['an event that never was', NO_RIGHT, worker('DELETE FROM kernel.events')],
  ['a log without guards', NO_RIGHT, worker(OFF)],
  ["the owner's role", NO_RIGHT, worker(becomeTheOwner)],
  ['a later head', NO_RIGHT, worker('UPDATE kernel.shard_head SET seq = seq + 1')],
  ['a mode', NO_RIGHT, worker(`UPDATE kernel.mode SET mode = 'normal'`)],
  [
    'a change of the mode by a SuperAdmin',
    NO_RIGHT,
    worker(
      `INSERT INTO kernel.mode_changes VALUES (1, gen_random_uuid(), 'normal', 'safe-mode', '', '{}', now(), '')`,
    ),
  ],
  ['an answer that the kernel never gave', NO_RIGHT, worker('INSERT INTO kernel.idempotency DEFAULT VALUES')],
  ['the answers to others', NO_RIGHT, worker('SELECT * FROM kernel.idempotency')],
  ['a notification', NO_RIGHT, worker('INSERT INTO kernel.webhook_deliveries DEFAULT VALUES')],
  ['an event for a webhook', NO_RIGHT, worker('INSERT INTO kernel.webhook_retries DEFAULT VALUES')],
  ['how far a webhook is', NO_RIGHT, worker('DELETE FROM kernel.webhook_places')],
  ['the challenge of a credential', NO_RIGHT, worker('SELECT * FROM kernel.webauthn_challenges')],
  [
    'a repair that was none',
    NO_RIGHT,
    worker(`INSERT INTO kernel.repairs VALUES (DEFAULT, gen_random_uuid(), 0, 1, 1, '[]', '', '', now())`),
  ],
  ['another row of the index', NO_RIGHT, worker(`UPDATE kernel_index.events SET type = 'x'`)],
  ['an index without an event', NO_RIGHT, worker('DELETE FROM kernel_index.events')],
  ['an index without events', NO_RIGHT, worker('TRUNCATE kernel_index.events')],
  ['another result of an audit', NO_RIGHT, worker(`UPDATE kernel.audit_runs SET outcome = 'clean'`)],
  ['an audit that never was', NO_RIGHT, worker('DELETE FROM kernel.audit_runs')],
  [
    'an audit before all others',
    NO_RIGHT,
    worker(
      `INSERT INTO kernel.audit_runs (n, id, started_at, outcome) OVERRIDING SYSTEM VALUE
       VALUES (9000000000000000000, gen_random_uuid(), now(), 'failed')`,
    ),
  ],
  ['a clean audit with a seal of their own', 'invalid', (k) => forgedAudit(k, ownSeal(k))],
  ['a clean audit without a seal', 'none', (k) => forgedAudit(k, null)],
  ['an older position of the relay', GUARD, worker('UPDATE kernel.relay_cursors SET seq = seq - 1')],
  ['an older leadership', GUARD, worker('UPDATE kernel.leadership SET epoch = epoch - 1')],
  [
    'a genuine event under another type',
    'integrity',
    (k) => forgedIndex(k, `'type', 'thing.lied', 'stream', 'thing.lied/1'`, 'type=thing.lied'),
  ],
  [
    'a genuine event in another stream',
    'integrity',
    (k) => forgedIndex(k, `'stream', 'thing/of-the-thief'`, 'stream=thing%2Fof-the-thief'),
  ],
  [
    'an event in the index that is none',
    'integrity',
    (k) =>
      forgedIndex(
        k,
        `'type', 'thing.lied', 'stream', 'thing.lied/2', 'canonical', '\\x7b7d'::bytea`,
        'type=thing.lied',
      ),
  ],
  [
    'a legal hold that nobody placed',
    'integrity',
    async (k) => {
      await k.query(
        'workerUrl',
        `INSERT INTO kernel.legal_holds
         VALUES (0, 1, 1, true, 'x', gen_random_uuid(), 0, 1, now(), 1, NULL)`,
      );
      const words = refusalOf(await k.as('AUDITOR').get('/kernel/audit/legal-hold'));
      await k.query('ownerUrl', 'DELETE FROM kernel.legal_holds');
      return words;
    },
  ],
];

/** Changes rows with the guards off. @returns what the kernel says then; they are put back */
async function behindTheGuards(
  k: LiveKernel,
  change: string,
  back: string,
  ask: () => Promise<string[]>,
): Promise<string[]> {
  await k.statement('ownerUrl', OFF, change, ...ON);
  try {
    return await ask();
  } finally {
    await k.statement('ownerUrl', OFF, back, ...ON);
  }
}

const OWNER_ROLE: Table<LiveKernel> = [
  ['another content of an event, past the guards', GUARD, owner(`UPDATE kernel.events SET type = 'x'`)],
  ['an event that never was, past the guards', GUARD, owner('DELETE FROM kernel.events')],
  ['no events at all, past the guards', GUARD, owner('TRUNCATE kernel.events')],
  ['an older head, past the guards', GUARD, owner('UPDATE kernel.shard_head SET seq = 1')],
  [
    'another content of an event, with the guards off',
    'integrity',
    async (k) => {
      const lied = `convert_to(replace(convert_from(canonical, 'UTF8'), 'finance', 'product'), 'UTF8')`;
      const [row] = await k.query('ownerUrl', 'SELECT canonical FROM kernel.events WHERE id = $1', [
        k.story.event,
      ]);
      const genuine = (row?.['canonical'] as Buffer).toString('hex');
      const where = `WHERE id = '${k.story.event}'`;
      return behindTheGuards(
        k,
        `UPDATE kernel.events SET canonical = ${lied} ${where}`,
        `UPDATE kernel.events SET canonical = decode('${genuine}', 'hex') ${where}`,
        async () => refusalOf(await k.as('AUDITOR').get(`/kernel/audit/${k.story.event}`)),
      );
    },
  ],
  [
    'a genuine event under the id of another, with the guards off',
    'integrity',
    async (k) => {
      const id = randomUUID();
      const rename = (from: string, to: string): string =>
        [
          KEYS_OFF,
          `UPDATE kernel.events SET id = '${to}' WHERE id = '${from}'`,
          `UPDATE kernel.event_keys SET id = '${to}' WHERE id = '${from}'`,
          KEYS_ON,
        ].join('; ');
      return behindTheGuards(k, rename(k.story.event, id), rename(id, k.story.event), async () =>
        refusalOf(await k.as('AUDITOR').get(`/kernel/audit/${id}`)),
      );
    },
  ],
  [
    'an event that is right but for its signature, with the guards off',
    'integrity',
    (k) => forgedEvent(k, 'ownerUrl', wellMade(k), () => append(k)),
  ],
  ['a change of the mode by a SuperAdmin', 'integrity', (k) => forgedMode(k, 'ownerUrl', 1)],
];

/** What is done in the database with the password of one of its roles. */
export const DATABASE_FAKES: Fake<LiveKernel>[] = [
  ...fakesOf('runtime-role', RUNTIME_ROLE),
  ...fakesOf('worker-role', WORKER_ROLE),
  ...fakesOf('owner-role', OWNER_ROLE),
];
