import { setTimeout as delay } from 'node:timers/promises';
import {
  type AuditEvent,
  canonicalize,
  ChainVerifier,
  genesisHash,
  sha256Hex,
  type SignerEntry,
} from '#evidence';
import { withStack } from '#dev/testing';
import { type AppendAnswer, type Pipeline } from '#openapi/kernel';
import { ContractClient } from './contract.client';

describe('the audit log', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'] });
  const client = () => new ContractClient(stack().client('OPERATOR'));
  const append = async (body: object): Promise<AppendAnswer['events']> => {
    const answer = await client().post('/kernel/audit', body);
    expect(answer.status).toBe(201);
    expect(answer.json.position).toBe(`0:${answer.json.events.at(-1).seq}`);
    return answer.json.events;
  };
  const exported = async (query = '') =>
    (await client().get(`/kernel/audit/export${query}`)).text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AuditEvent);

  it('begins with its founding, and the registration of its own keys', async () => {
    const [founded, first, second] = await exported('?toSeq=3');
    const { origin, shards } = stack();
    expect(founded).toMatchObject({
      seq: 1,
      type: 'kernel.founded',
      stream: 'kernel/founding',
      prevHash: genesisHash(origin, 0),
      payload: { origin, shards, approverPool: { version: 1 } },
    });
    expect(first).toMatchObject({ seq: 2, type: 'signer.added', prevHash: founded!.hash });
    expect(first!.signerKid).toBe((first!.payload['signer'] as unknown as SignerEntry).signer_kid);
    expect([founded, second].map((event) => event?.signerKid)).toEqual([first!.signerKid, first!.signerKid]);
    expect(second).toMatchObject({
      seq: 3,
      type: 'signer.added',
      prevHash: first!.hash,
      payload: { heads: [{ shard: 0, seq: 2, hash: first!.hash }] },
    });
  });

  it('publishes the trust root with what it was founded as, and where each key signs', async () => {
    const { json } = await client().get('/kernel/keys/signers.json');
    const [founded] = await exported('?toSeq=1');
    const { origin, shards, approverPool } = founded!.payload;
    expect(json).toMatchObject({ origin, shards, approverPool });
    const [audit, ...others] = json.signers as { span: object }[];
    expect(audit?.span).toEqual({ after: [{ shard: 0, seq: 0 }], until: null, since: null });
    expect(others.map(({ span }) => span)).not.toContain(undefined);
    const pool = (await exported()).find(({ type }) => type === 'approver_pool.registered');
    expect(approverPool).toEqual({ version: 1, sha256: sha256Hex(canonicalize(pool!.payload['pool']!)) });
  });

  it('gives an event back byte for byte, canonical', async () => {
    const [appended] = await append({
      type: 'door.opened',
      payload: { z: 1, a: 'ä', n: 1e21 },
      stream: 'door/1',
    });
    const answer = await client().get(`/kernel/audit/${appended!.id}`);
    expect(answer.json).toMatchObject({
      ...appended,
      type: 'door.opened',
      stream: 'door/1',
      streamVersion: 1,
    });
    expect(answer.text).toContain('"payload":{"a":"ä","n":1e+21,"z":1}');
    const [line] = (
      await client().get(`/kernel/audit/export?fromSeq=${appended!.seq}&toSeq=${appended!.seq}`)
    ).text.split('\n');
    expect(line).toBe(answer.text);
  });

  it('takes a thousand events at once, in order, and refuses one more', async () => {
    const events = Array.from({ length: 1_000 }, (_, n) => ({
      type: 'door.opened',
      payload: { n },
      stream: `door/${n % 7}`,
    }));
    const appended = await append({ events });
    expect(appended.map(({ seq }) => seq)).toEqual(appended.map((_, n) => appended[0]!.seq + n));
    const stored = await exported(`?fromSeq=${appended[0]!.seq}&toSeq=${appended.at(-1)!.seq}`);
    expect(stored.map(({ payload }) => payload['n'])).toEqual(events.map(({ payload }) => payload.n));
    const tooMany = await client().post('/kernel/audit', { events: [...events, events[0]] });
    expect([tooMany.status, tooMany.json.pointer]).toEqual([400, '/events']);
  });

  it('puts events without a stream into the caller’s own', async () => {
    const [a] = await append({ type: 'door.opened', payload: {} });
    const event = (await client().get(`/kernel/audit/${a!.id}`)).json;
    expect(event.stream).toBe('caller/spiffe://kernel.localhost/dev-operator');
  });

  it('finds events by stream, type, actor and time, page by page, oldest first', async () => {
    const before = new Date().toISOString();
    const mine = await append({
      events: Array.from({ length: 25 }, (_, n) => ({
        type: 'lamp.lit',
        payload: { n },
        stream: `lamp/${n % 2}`,
      })),
    });
    const [last] = await append({ type: 'lamp.broken', payload: {}, stream: 'lamp/0' });
    // Lists come from the index: what was just written is there once the index has reached this position.
    const written = { headers: { 'kernel-min-position': `0:${last!.seq}` } };
    await delay(2);
    const after = new Date().toISOString();
    const ids = async (query: string) => {
      const found: string[] = [];
      let cursor = '';
      do {
        const { events, nextCursor } = (
          await client().get(`/kernel/audit?limit=10&${query}${cursor}`, written)
        ).json;
        found.push(...events.map(({ id }: AuditEvent) => id));
        cursor = nextCursor === null ? '' : `&cursor=${nextCursor}`;
      } while (cursor !== '');
      return found;
    };
    const all = mine.map(({ id }) => id);
    expect(await ids('type=lamp.lit')).toEqual(all);
    expect(await ids('type=lamp.lit&order=oldest')).toEqual(all);
    expect(await ids('type=lamp.lit&order=newest')).toEqual(all.toReversed());
    expect(await ids('type=lamp.lit&stream=lamp/1')).toEqual(all.filter((_, n) => n % 2 === 1));
    expect(await ids('stream=lamp/0&type=lamp.broken')).toHaveLength(1);
    const operator = encodeURIComponent('spiffe://kernel.localhost/dev-operator');
    expect(await ids(`type=lamp.lit&actor=${operator}&from=${before}&to=${after}`)).toEqual(all);
    expect(await ids(`type=lamp.lit&actor=nobody`)).toEqual([]);
    expect(await ids(`type=lamp.lit&from=${after}`)).toEqual([]);
    expect(await ids(`type=lamp.lit&to=${before}`)).toEqual([]);
    const wrong = await client().get('/kernel/audit?limit=1001');
    expect([wrong.status, wrong.json.parameter]).toEqual([400, 'limit']);
    expect((await client().get('/kernel/audit?cursor=abc')).status).toBe(400);
    const disorder = await client().get('/kernel/audit?order=desc');
    expect([disorder.status, disorder.json.parameter]).toEqual([400, 'order']);
    const { nextCursor } = (await client().get('/kernel/audit?type=lamp.lit&limit=10', written)).json;
    const turned = await client().get(`/kernel/audit?type=lamp.lit&order=newest&cursor=${nextCursor}`);
    expect(turned.status).toBe(400);
    expect(turned.json.detail).toContain('it belongs to a query with other filters or order');
    expect((await client().get('/kernel/audit?surprise=1')).status).toBe(400);
  });

  it('says how far the copies of the chain are, also those that never ran', async () => {
    const [last] = await append({ type: 'door.opened', payload: {} });
    const { seq } = last!;
    await client().get('/kernel/audit?limit=1', { headers: { 'kernel-min-position': `0:${seq}` } });
    const { status, json } = await client().get('/kernel/audit/pipeline');
    expect(status).toBe(200);
    const [shard] = (json as Pipeline).shards;
    expect(shard).toMatchObject({ shard: 0, seq });
    const [published, indexed, archived, logged] = shard?.stages ?? [];
    const moved = { seq, events: 0, seconds: 0, movedAt: expect.stringMatching(/Z$/) as unknown };
    expect(published).toMatchObject({ stage: 'published', events: 0 });
    expect(indexed).toEqual({ stage: 'indexed', ...moved });
    for (const [stage, name] of [
      [archived, 'archived'],
      [logged, 'logged'],
    ] as const) {
      expect(stage).toMatchObject({ stage: name, seq: 0, events: seq, movedAt: null });
      expect(stage?.seconds).toBeGreaterThan(0);
    }
  });

  it('goes on newest first where it was, whatever comes meanwhile', async () => {
    const rang = (from: number) =>
      append({
        events: Array.from({ length: 5 }, (_, n) => ({
          type: 'bell.rung',
          payload: { n: from + n },
          stream: `bell/${n}`,
        })),
      });
    const first = await rang(0);
    const page = async (query: string, after: { seq: number } | undefined) =>
      (
        await client().get(`/kernel/audit?type=bell.rung&order=newest&limit=2${query}`, {
          headers: { 'kernel-min-position': `0:${after!.seq}` },
        })
      ).json;
    const one = await page('', first.at(-1));
    const more = await rang(5);
    const two = await page(`&cursor=${one.nextCursor}`, more.at(-1));
    const three = await page(`&cursor=${two.nextCursor}`, more.at(-1));
    const shown = [one, two, three].flatMap(({ events }) => events.map(({ id }: AuditEvent) => id));
    expect(shown).toEqual(first.map(({ id }) => id).toReversed());
    expect(three.nextCursor).toBeNull();
  });

  it('holds a read back until the position is there, and says so when it never is', async () => {
    const [a] = await append({ type: 'door.opened', payload: {} });
    const there = await client().get(`/kernel/audit/${a!.id}`, {
      headers: { 'kernel-min-position': `0:${a!.seq}` },
    });
    expect(there.status).toBe(200);

    const waiting = client().get('/kernel/audit/head', {
      headers: { 'kernel-min-position': `0:${a!.seq + 1}` },
    });
    const [next] = await append({ type: 'door.opened', payload: {} });
    expect((await waiting).json[0].seq).toBe(next!.seq);

    const never = await client().get('/kernel/audit/head', {
      headers: { 'kernel-min-position': '0:999999' },
    });
    expect([never.status, never.json.error]).toEqual([503, 'position_unavailable']);
    expect(never.headers['retry-after']).toBe('1');
    expect(never.json).toMatchObject({
      detail: `Position 0:999999 is not there yet; the head is ${never.json.reached}.`,
      wanted: '0:999999',
      reached: expect.stringMatching(/^0:\d+$/),
      error_id: expect.any(String),
    });
    const wrong = await client().get('/kernel/audit/head', { headers: { 'kernel-min-position': '7:1' } });
    expect(wrong.json.error).toBe('invalid_position');
  });

  it('holds a list back until the index has the position, and lists what is there while the indexer is away', async () => {
    const indexer = stack().worker('indexer');
    const list = (headers: Record<string, string> = {}) =>
      client().get('/kernel/audit?stream=door/late', { headers });
    const at = ({ seq }: { seq: number }) => ({ 'kernel-min-position': `0:${seq}` });
    const late = () => append({ type: 'door.opened', payload: {}, stream: 'door/late' });
    const [first] = await late();
    expect((await list(at(first!))).json.events).toHaveLength(1);

    await indexer.process.stop();
    const [second] = await late();
    expect((await list()).json.events).toHaveLength(1);
    const held = await list(at(second!));
    expect([held.status, held.json.error]).toEqual([503, 'position_unavailable']);
    expect(held.headers['retry-after']).toBe('1');
    expect(held.json).toMatchObject({ wanted: `0:${second!.seq}`, reached: `0:${first!.seq}` });
    expect((await client().get(`/kernel/audit/${second!.id}`, { headers: at(second!) })).status).toBe(200);

    await indexer.process.start();
    await stack().whenReady();
    expect((await list(at(second!))).json.events).toHaveLength(2);
    const wrong = await list({ 'kernel-min-position': '7:1' });
    expect(wrong.json.error).toBe('invalid_position');
  });

  it('answers a range that is none', async () => {
    expect((await client().get('/kernel/audit/export?fromSeq=5&toSeq=4')).json.error).toBe('invalid_range');
    expect((await client().get('/kernel/audit/export?shard=3')).json.error).toBe('unknown_shard');
    expect(await exported('?fromSeq=900000')).toEqual([]);
  });

  it('is one chain that verifies with nothing but the public keys', async () => {
    const signers = (await client().get('/kernel/keys/signers.json')).json.signers as SignerEntry[];
    const verifier = new ChainVerifier({ origin: stack().origin, signers });
    const events = (await client().get('/kernel/audit/export')).bytes;
    const faults = [];
    for (let start = 0, end; (end = events.indexOf(10, start)) >= 0; start = end + 1) {
      faults.push(...verifier.accept(events.subarray(start, end)));
    }
    expect([...faults, ...verifier.finish()]).toEqual([]);
    const [head] = (await client().get('/kernel/audit/head')).json;
    expect(verifier.heads()).toMatchObject([{ shard: 0, seq: head.seq, hash: head.hash }]);
  });

  it.each(['signers.json', 'jwks.json'])(
    'lets verifiers keep %s, and says whether it has changed',
    async (file) => {
      const anybody = new ContractClient(stack().client('NOROLE'));
      const first = await anybody.get(`/kernel/keys/${file}`);
      expect(first.headers['cache-control']).toBe('public, max-age=60, must-revalidate');
      const etag = String(first.headers['etag']);
      for (const known of [etag, `"other", W/${etag}`, '*']) {
        const again = await anybody.get(`/kernel/keys/${file}`, { headers: { 'if-none-match': known } });
        expect(again).toMatchObject({ status: 304, text: '', headers: { etag } });
      }
      const other = await anybody.get(`/kernel/keys/${file}`, { headers: { 'if-none-match': '"other"' } });
      expect(other).toMatchObject({ status: 200, text: first.text });
    },
  );

  it('tells how it stands to whoever asks', async () => {
    const status = (await new ContractClient(stack().client('NOROLE')).get('/kernel/security/status')).json;
    expect(status).toMatchObject({ origin: stack().origin, mode: 'normal', signing: { ok: true } });
    expect(status.signers.map(({ purposes }: SignerEntry) => purposes)).toEqual([
      ['audit'],
      ['manifest'],
      ['checkpoint'],
    ]);
    expect(JSON.stringify(status)).not.toMatch(/PRIVATE|postgres:|password|127\.0\.0\.1/);
  });
});
