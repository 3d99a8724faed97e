import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type JsonObject, manifestDigest } from '#evidence';
import { type HttpAnswer, withStack, workTree } from '#dev/testing';
import { ContractClient } from '../contract/contract.client';
import { Copies, expectEqualCopies } from '../faults/copies';
import { cli, connectionTo } from './cli';

let counter = 0;
const nextId = (what: string) => `${what}-${++counter}`;

// Two kernels and three shards: simultaneous decisions are made in different processes.
const stack = withStack({ kernels: 2, shards: 3, workers: ['outbox-relay', 'indexer', 'archiver'] });
const as = (caller: 'OPERATOR' | 'DIVISION_LEAD' | 'AUDITOR', kernel = 0) =>
  new ContractClient(stack().client(caller, { kernel }));
const operator = (kernel = 0) => as('OPERATOR', kernel);
const lead = () => as('DIVISION_LEAD');

const register = (manifest: JsonObject, kernel = 0) => operator(kernel).post('/kernel/division', manifest);
/** Query for lists that include everything written up to a position. */
const since = (position: string) => ({ headers: { 'kernel-min-position': position } });
/** Waits until every shard's head is in the index. */
async function untilIndexed(): Promise<void> {
  const heads = (await operator().get('/kernel/audit/head')).json as { shard: number; seq: number }[];
  for (const { shard, seq } of heads) await operator().get('/kernel/audit?limit=1', since(`${shard}:${seq}`));
}
const refusal = ({ status, json }: HttpAnswer) => [status, json.error];

async function division(budget: JsonObject[string] = 100): Promise<string> {
  const id = nextId('division');
  expect((await register({ id, budget })).status).toBe(200);
  return id;
}

interface SignedTemplate {
  manifest: JsonObject;
  envelope: JsonObject;
  auditId: string;
}

async function template(more: JsonObject = {}): Promise<SignedTemplate> {
  const manifest = { id: nextId('template'), version: '1.0.0', kind: 'agent-template', ...more };
  const { json } = await operator().post('/kernel/sign', { manifest });
  return { manifest, envelope: json.signature_record.envelope, auditId: json.audit_id };
}

const spawn = (
  divisionId: string,
  { manifest, envelope }: Omit<SignedTemplate, 'auditId'>,
  more: object = {},
) => operator().post('/kernel/agent', { divisionId, template: { manifest, envelope }, ...more });

async function agent(divisionId: string): Promise<string> {
  const spawned = await spawn(divisionId, await template());
  expect(spawned.status).toBe(201);
  return spawned.json.id as string;
}

const leadTo = (id: string, state: string, client = operator()) =>
  client.post(`/kernel/agent/${id}/state`, { state, reason: 'a test' });

describe('divisions, over mutual TLS', () => {
  it('are registered and updated, and every version is signed', async () => {
    const id = nextId('division');
    const registered = await register({ id, name: 'A division', budget: 100, owner: 'ada' });
    expect(registered.status).toBe(200);
    expect(registered.json).toMatchObject({
      id,
      name: 'A division',
      status: 'active',
      version: 1,
      manifest: { id, name: 'A division', budget: 100, owner: 'ada', version: 1 },
      balances: [{ pool: null, budget: 100, allocated: 0, available: 100 }],
    });
    const updated = await register({ id, budget: { gpu: 4 }, version: 1 });
    expect(updated.json).toMatchObject({
      version: 2,
      name: null,
      balances: [{ pool: 'gpu', budget: 4, allocated: 0, available: 4 }],
    });

    for (const version of [1, 2]) {
      const { json } = await operator().get(`/kernel/division/${id}?version=${version}`);
      expect(json.manifestSha256).toBe(manifestDigest(json.manifest as JsonObject));
      const { envelope } = json.signature_record;
      const verdict = await operator().post('/kernel/verify', { manifest: json.manifest, envelope });
      expect(verdict.json).toEqual({ valid: true, reasons: [] });
      const event = await operator().get(`/kernel/audit/${json.audit_id}`);
      expect(event.json).toMatchObject({
        type: version === 1 ? 'division.registered' : 'division.updated',
        payload: { division: id, version, manifest: json.manifest, signature: { envelope } },
      });
    }
    expect((await operator().get(`/kernel/division/${id}`)).json.version).toBe(2);
    const unknown = [`/kernel/division/${id}?version=3`, '/kernel/division/none'];
    for (const path of unknown) {
      const answer = await operator().get(path);
      expect([answer.status, answer.json.error]).toEqual([404, 'division_not_found']);
    }
  });

  it('are refused a change that is based on another version', async () => {
    const id = nextId('division');
    await register({ id });
    await register({ id, version: 1, goals: ['grow'] });
    for (const version of [undefined, 0, 1, 3]) {
      const answer = await register({ id, ...(version === undefined ? {} : { version }), goals: ['shrink'] });
      expect([answer.status, answer.json.error, answer.json.currentVersion]).toEqual([
        409,
        'version_conflict',
        2,
      ]);
    }
    expect((await operator().get(`/kernel/division/${id}`)).json.manifest.goals).toEqual(['grow']);
  });

  it('take one of many changes that are based on the same version', async () => {
    const id = nextId('division');
    await register({ id });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => register({ id, version: 1, goals: [`goal ${n}`] }, n % 2)),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array<number>(11).fill(409)]);
    const winner = answers.find(({ status }) => status === 200);
    expect((await operator().get(`/kernel/division/${id}`)).json.manifest).toEqual(winner?.json.manifest);
  });

  it('are answered the same when a request is repeated', async () => {
    const id = nextId('division');
    const headers = { 'idempotency-key': id };
    const [one, two] = [
      await operator().post('/kernel/division', { id, budget: 1 }, { headers }),
      await operator().post('/kernel/division', { budget: 1, id }, { headers }),
    ];
    expect(two.text).toBe(one.text);
    const other = await operator().post('/kernel/division', { id, budget: 2 }, { headers });
    expect([other.status, other.json.error]).toEqual([422, 'idempotency_mismatch']);
  });

  it('are signed by the kernel alone, in streams that nobody else writes', async () => {
    const signed = await operator().post('/kernel/sign', {
      manifest: { id: 'x', kind: 'division-manifest' },
    });
    expect([signed.status, signed.json.error]).toEqual([400, 'reserved_kind']);
    for (const event of [
      { type: 'division.updated', payload: {} },
      { type: 'division.visited', stream: 'division/product', payload: {} },
    ]) {
      const answer = await operator().post('/kernel/audit', event);
      expect([answer.status, answer.json.error]).toEqual([400, 'reserved_name']);
    }
  });

  it('are the own one for a DivisionLead', async () => {
    const foreign = nextId('division');
    await register({ id: foreign });
    const own = await lead().post('/kernel/division', { id: 'product', budget: 10 });
    expect(own.status).toBe(200);
    for (const answer of [
      await lead().post('/kernel/division', { id: foreign, version: 1 }),
      await lead().get(`/kernel/division/${foreign}`),
      await lead().get('/kernel/division/none'),
      await as('AUDITOR').post('/kernel/division', { id: 'product', version: 1 }),
    ]) {
      expect([answer.status, answer.json.error]).toEqual([403, 'forbidden']);
    }
    const seen = async (client: ContractClient) => {
      const { json } = await client.get('/kernel/division?limit=100', since(own.json.position));
      return (json.divisions as { id: string }[]).map(({ id }) => id);
    };
    expect(await seen(lead())).toEqual(['product']);
    // Newest first.
    expect((await seen(operator())).slice(0, 2)).toEqual(['product', foreign]);
    expect(await seen(as('AUDITOR'))).toContain(foreign);
  });

  it('are listed page by page', async () => {
    const { position } = (await register({ id: nextId('division') })).json;
    const ids: string[] = [];
    let cursor = '';
    do {
      const { json } = await operator().get(`/kernel/division?limit=2${cursor}`, since(position));
      ids.push(...(json.divisions as { id: string }[]).map(({ id }) => id));
      cursor = json.nextCursor === null ? '' : `&cursor=${json.nextCursor}`;
    } while (cursor !== '');
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(4);
  });
});

describe('agents, over mutual TLS', () => {
  it('are spawned from a signed template, and led through their life', async () => {
    const divisionId = await division();
    const made = await template();
    const id = nextId('agent');
    const more = {
      id,
      role: 'Tester',
      skills: ['reading'],
      codeRef: 'git@example.com:a#v1',
      metadata: { team: 'a' },
    };
    const spawned = await spawn(divisionId, made, more);
    expect(spawned.status).toBe(201);
    expect(spawned.json).toMatchObject({
      divisionId,
      divisionVersion: 1,
      state: 'spawned',
      ...more,
      owner: null,
      template: { manifest: made.manifest, envelope: made.envelope, signedBy: made.auditId },
    });
    expect(refusal(await spawn(divisionId, made, { id }))).toEqual([409, 'agent_exists']);

    for (const state of ['running', 'paused', 'running', 'stopped']) {
      const answer = await leadTo(id, state);
      expect([answer.status, answer.json.state]).toEqual([200, state]);
    }
    const again = await leadTo(id, 'stopped');
    expect([again.status, again.json.state, again.json.position]).toEqual([200, 'stopped', undefined]);
    const wrong = await leadTo(id, 'paused');
    expect([...refusal(wrong), wrong.json.state, wrong.json.allowed]).toEqual([
      409,
      'transition_not_allowed',
      'stopped',
      ['running', 'retired'],
    ]);
    expect((await leadTo(id, 'retired')).json).toMatchObject({ state: 'retired', allowed: [], version: 6 });
    expect(refusal(await leadTo(id, 'running'))).toEqual([409, 'agent_retired']);
    expect((await operator().get(`/kernel/agent/${id}`)).json).toMatchObject({
      id,
      state: 'retired',
      reason: 'a test',
    });
    expect(refusal(await operator().get('/kernel/agent/none'))).toEqual([404, 'agent_not_found']);
    expect(refusal(await leadTo('none', 'running'))).toEqual([404, 'agent_not_found']);
  });

  it('are spawned by the recorded signature, too', async () => {
    const divisionId = await division();
    const { manifest, auditId } = await template();
    const bySignature = await operator().post('/kernel/agent', { divisionId, template: { auditId } });
    expect(bySignature.json.template).toMatchObject({ manifest: null, signedBy: auditId });
    const withManifest = await operator().post('/kernel/agent', {
      divisionId,
      template: { manifest, auditId },
    });
    expect(withManifest.json.template).toMatchObject({ manifest, signedBy: auditId });
    expect(withManifest.json.id).not.toBe(bySignature.json.id);
  });

  it('are not spawned from a template whose signature does not hold, and nothing is stored', async () => {
    const divisionId = await division();
    const { manifest, envelope, auditId } = await template();
    const other = await template();
    const heads = async () => (await operator().get('/kernel/audit/head')).text;
    const before = await heads();
    const flipped = structuredClone(envelope) as { signatures: { sig: string }[] };
    flipped.signatures[0]!.sig = (other.envelope as unknown as typeof flipped).signatures[0]!.sig;
    const post = (source: object) => operator().post('/kernel/agent', { divisionId, template: source });
    for (const source of [
      { manifest: { ...manifest, role: 'admin' }, envelope },
      { manifest, envelope: flipped },
      { manifest, envelope: other.envelope },
      { manifest, envelope: { ...envelope, payload: 'AAAA' } },
      { manifest: { ...manifest, role: 'admin' }, auditId },
    ]) {
      const answer = await post(source);
      expect(refusal(answer)).toEqual([400, 'invalid_signature']);
      expect(answer.json.reasons.length).toBeGreaterThan(0);
    }
    const anEvent = (await operator().get(`/kernel/division/${divisionId}`)).json;
    for (const source of [
      { auditId: '01900000-0000-7000-8000-000000000000' },
      { auditId: anEvent.audit_id },
      { manifest, envelope, auditId: other.auditId },
    ]) {
      expect(refusal(await post(source))).toEqual([400, 'template_not_recorded']);
    }
    // What the kernel signed as another kind is no template, though the signature is valid; nor is it in such a stream.
    const asTemplate = { manifest: anEvent.manifest, envelope: anEvent.signature_record.envelope };
    expect((await post(asTemplate)).status).toBe(400);
    expect(await heads()).toBe(before);
  });

  it('are not spawned from the template of another division, nor in one that is not active', async () => {
    const divisionId = await division();
    const foreign = await template({ division: 'finance' });
    expect(refusal(await spawn(divisionId, foreign))).toEqual([400, 'invalid_template']);
    expect((await spawn(divisionId, await template({ division: divisionId }))).status).toBe(201);
    await register({ id: divisionId, budget: 100, version: 1, status: 'paused' });
    const paused = await spawn(divisionId, await template());
    expect([...refusal(paused), paused.json.divisionStatus]).toEqual([409, 'division_not_active', 'paused']);
    expect(refusal(await spawn('none', await template()))).toEqual([404, 'division_not_found']);
  });

  it('are evaluated', async () => {
    const id = await agent(await division());
    const submit = (report: object) => operator().post('/kernel/eval', { agentId: id, ...report });
    const first = await submit({
      metricSet: { taskSuccess: 0.9, latencyMs: 110, model: 'a', safe: true },
      score: 0.83,
      source: 'sim-runner',
      timestamp: '2026-01-12T09:00:00Z',
    });
    expect(first.json).toMatchObject({ ok: true });
    const second = await submit({ metricSet: { taskSuccess: 1 } });
    const now = (await operator().get(`/kernel/agent/${id}/state`)).json;
    expect(now).toMatchObject({ id, state: 'spawned', score: 0.83, agent: { id } });
    expect(now.evals).toMatchObject([
      { id: second.json.eval_id, score: null },
      { id: first.json.eval_id, metricSet: { taskSuccess: 0.9 }, source: 'sim-runner' },
    ]);
    const listed = await operator().get(`/kernel/eval?agentId=${id}`, since(second.json.position));
    expect(listed.json.evals.map((one: { id: string }) => one.id)).toEqual([
      second.json.eval_id,
      first.json.eval_id,
    ]);
    expect(refusal(await submit({ metricSet: {} }))).toEqual([400, 'invalid_request']);
    expect(refusal(await operator().post('/kernel/eval', { agentId: 'none', metricSet: { a: 1 } }))).toEqual([
      404,
      'agent_not_found',
    ]);
  });
});

describe('allocations, over mutual TLS', () => {
  const allocate = (body: object, client = operator()) =>
    client.post('/kernel/allocate', { reason: 'a test', ...body });
  const balances = async (divisionId: string) =>
    (await operator().get(`/kernel/division/${divisionId}`)).json.balances;

  it('are granted from the budget, refused beyond it, and released', async () => {
    const divisionId = await division({ gpu: 4, eur: 100 });
    const id = await agent(divisionId);
    const granted = await allocate({ agentId: id, pool: 'gpu', delta: 3 });
    expect(granted.status).toBe(200);
    expect(granted.json).toMatchObject({
      ok: true,
      allocation: {
        entityId: id,
        divisionId,
        agentId: id,
        pool: 'gpu',
        delta: 3,
        held: 3,
        status: 'granted',
      },
    });
    const over = await allocate({ agentId: id, pool: 'gpu', delta: 1.001 });
    expect(refusal(over)).toEqual([409, 'over_budget']);
    expect(over.json).toMatchObject({ pool: 'gpu', budget: 4, allocated: 3, available: 1, requested: 1.001 });
    expect(over.json.detail).toContain('1 are left, 1.001 were asked for');
    expect(refusal(await allocate({ divisionId, pool: 'gpu', delta: -1 }))).toEqual([
      409,
      'nothing_to_release',
    ]);
    expect((await allocate({ divisionId, pool: 'eur', delta: 99.99 })).json.allocation).toMatchObject({
      entityId: divisionId,
      agentId: null,
    });
    const cut = await register({ id: divisionId, version: 1, budget: { gpu: 2, eur: 100 } });
    expect([...refusal(cut), cut.json.allocated]).toEqual([409, 'budget_below_allocated', 3]);
    const released = await allocate({ agentId: id, pool: 'gpu', delta: -1 });
    expect(released.json).toMatchObject({
      allocation: { delta: -1, held: 2, status: 'released' },
      balances: [
        { pool: 'eur', allocated: 99.99, available: 0.01 },
        { pool: 'gpu', budget: 4, allocated: 2, available: 2 },
      ],
    });
    expect((await operator().get(`/kernel/agent/${id}/state`)).json.allocations).toEqual([
      { pool: 'gpu', held: 2 },
    ]);
    const listed = await operator().get(
      `/kernel/allocate?divisionId=${divisionId}&limit=2`,
      since(released.json.position),
    );
    expect(listed.json.allocations.map(({ delta }: { delta: number }) => delta)).toEqual([-1, 99.99]);

    // A retired agent keeps no allocations.
    await leadTo(id, 'retired');
    expect(await balances(divisionId)).toMatchObject([{ pool: 'eur' }, { pool: 'gpu', allocated: 0 }]);
    expect(refusal(await allocate({ agentId: id, pool: 'gpu', delta: 1 }))).toEqual([409, 'agent_retired']);
    expect(refusal(await allocate({ agentId: id, delta: 0, divisionId }))).toEqual([400, 'invalid_amount']);
    expect(refusal(await allocate({ delta: 1 }))).toEqual([400, 'invalid_request']);
    const strange = await allocate({ agentId: id, divisionId: await division(), delta: 1 });
    expect(refusal(strange)).toEqual([404, 'agent_not_found']);
  });

  it('never exceed the budget, however many are asked for at the same time, on both kernels', async () => {
    const divisionId = await division(10);
    const agents = [await agent(divisionId), await agent(divisionId)];
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        allocate({ agentId: agents[n % 2], pool: `pool-${n % 3}`, delta: 0.7 }, operator(n % 2)),
      ),
    );
    const granted = answers.filter(({ status }) => status === 200);
    for (const answer of answers)
      if (answer.status !== 200) expect(refusal(answer)).toEqual([409, 'over_budget']);
    expect(granted.length).toBe(14);
    expect(await balances(divisionId)).toEqual([{ pool: null, budget: 10, allocated: 9.8, available: 0.2 }]);

    // A retirement, a cut and grants at once: whichever comes first, the balance is right.
    const [first] = agents as [string, string];
    await Promise.all([
      leadTo(first, 'retired', operator(1)),
      register({ id: divisionId, version: 1, budget: 5 }, 1),
      ...Array.from({ length: 8 }, (_, n) => allocate({ agentId: first, delta: 0.1 }, operator(n % 2))),
    ]);
    expect((await operator().get(`/kernel/agent/${first}/state`)).json).toMatchObject({
      state: 'retired',
      allocations: [],
    });
    const [left] = (await balances(divisionId)) as { budget: number; allocated: number; available: number }[];
    expect(left?.allocated).toBeLessThanOrEqual(left?.budget ?? 0);
  });

  it('are answered the same when a request is repeated, and made once', async () => {
    const divisionId = await division(1);
    const headers = { 'idempotency-key': divisionId };
    const ask = () =>
      operator().post('/kernel/allocate', { divisionId, delta: 1, reason: 'all of it' }, { headers });
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await balances(divisionId)).toMatchObject([{ allocated: 1 }]);
  });
});

describe('a DivisionLead, over mutual TLS', () => {
  it('gets no signature over another division’s manifest, by whatever name it is sent', async () => {
    const foreign = await division();
    await register({ id: 'product', budget: 10 });
    const theirs = { id: nextId('template'), version: '1.0.0', kind: 'agent-template', division: foreign };
    const digest = { manifestId: theirs.id, version: '1.0.0', sha256: manifestDigest(theirs) };
    for (const body of [{ ...digest, division: 'product' }, digest]) {
      expect(refusal(await lead().post('/kernel/sign', body))).toEqual([403, 'manifest_required']);
    }
    expect(refusal(await lead().post('/kernel/sign', { manifest: theirs }))).toEqual([403, 'forbidden']);

    // What one who is bound to no division signs by its digest is no template of a division that it is not of.
    const signed = await operator().post('/kernel/sign', { ...digest, division: 'product' });
    const { envelope } = signed.json.signature_record as { envelope: JsonObject };
    const auditId = signed.json.audit_id as string;
    for (const template of [
      { manifest: theirs, envelope },
      { manifest: theirs, auditId },
    ]) {
      for (const divisionId of ['product', foreign]) {
        const spawned = await operator().post('/kernel/agent', { divisionId, template });
        expect(refusal(spawned)).toEqual([400, 'invalid_template']);
      }
    }

    const { division: _, ...named } = theirs;
    const own = await lead().post('/kernel/sign', { manifest: { ...named, divisionId: 'product' } });
    const { payload } = own.json.signature_record.envelope as { payload: string };
    const statement = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as {
      predicate: JsonObject;
    };
    expect(statement.predicate['division']).toBe('product');
    const spawned = await lead().post('/kernel/agent', {
      divisionId: 'product',
      template: { auditId: own.json.audit_id as string },
    });
    expect(spawned.status).toBe(201);
  });

  it('is limited to the own division in all of it, lists included', async () => {
    const found = await operator().get('/kernel/division/product');
    const version = found.status === 200 ? (found.json.version as number) : 0;
    await register({ id: 'product', budget: 100, version });
    const [own, foreign] = ['product', await division()];
    const [ownAgent, foreignAgent] = [await agent(own), await agent(foreign)];
    const made = await template();
    const source = { manifest: made.manifest, envelope: made.envelope };
    const requests: [string, (divisionId: string, agentId: string) => object][] = [
      ['/kernel/agent', (divisionId) => ({ divisionId, template: source })],
      ['/kernel/eval', (_, agentId) => ({ agentId, metricSet: { a: 1 } })],
      ['/kernel/allocate', (_, agentId) => ({ agentId, delta: 1, reason: 'x' })],
      ['/kernel/allocate', (divisionId) => ({ divisionId, delta: 1, reason: 'x' })],
      ['/kernel/allocate', (divisionId, agentId) => ({ divisionId, agentId, delta: 1, reason: 'x' })],
    ];
    for (const [path, body] of requests) {
      const mine = await lead().post(path, body(own, ownAgent));
      expect([200, 201]).toContain(mine.status);
      const theirs = await lead().post(path, body(foreign, foreignAgent));
      expect(refusal(theirs)).toEqual([403, 'forbidden']);
      const allowed = await operator().post(path, body(foreign, foreignAgent));
      expect([200, 201]).toContain(allowed.status);
    }
    expect((await leadTo(ownAgent, 'running', lead())).status).toBe(200);
    expect(refusal(await leadTo(foreignAgent, 'running', lead()))).toEqual([403, 'forbidden']);

    for (const path of [
      `/kernel/division/${foreign}`,
      `/kernel/agent/${foreignAgent}`,
      `/kernel/agent/${foreignAgent}/state`,
      `/kernel/agent?divisionId=${foreign}`,
      `/kernel/eval?divisionId=${foreign}`,
      `/kernel/eval?agentId=${foreignAgent}`,
      `/kernel/allocate?divisionId=${foreign}`,
      `/kernel/reason/${foreignAgent}`,
      `/kernel/reason/division%2F${foreign}`,
    ]) {
      expect(refusal(await lead().get(path))).toEqual([403, 'forbidden']);
      expect((await operator().get(path)).status).toBe(200);
    }
    // Evaluations are in shards of their own: the index has to have advanced far enough in each of them.
    await untilIndexed();
    const seen = async (path: string, list: string) =>
      (await lead().get(`${path}?limit=100`)).json[list] as { divisionId?: string; division?: string }[];
    for (const [path, list] of [
      ['/kernel/agent', 'agents'],
      ['/kernel/eval', 'evals'],
    ] as const) {
      const divisions = (await seen(path, list)).map((one) => one.divisionId ?? one.division);
      expect(divisions.length).toBeGreaterThan(0);
      expect(new Set(divisions)).toEqual(new Set([own]));
    }
    const events = (await lead().get('/kernel/audit?limit=1000')).json.events as { payload: JsonObject }[];
    expect(new Set(events.map(({ payload }) => payload['division']))).toEqual(new Set([own]));
  });
});

describe('from a division to an allocation', () => {
  it('everything is traced to what it rests on, and in every copy of the chain', async () => {
    const divisionId = await division(10);
    const made = await template();
    const spawned = await spawn(divisionId, made);
    const id = spawned.json.id as string;
    const started = await leadTo(id, 'running');
    const evaluated = await operator().post('/kernel/eval', {
      agentId: id,
      metricSet: { ok: 1 },
      score: 0.9,
    });
    const allocated = await operator().post('/kernel/allocate', {
      agentId: id,
      delta: 2,
      reason: 'it does well',
      evalId: evaluated.json.eval_id,
    });
    expect(allocated.status).toBe(200);
    const wrongEval = {
      agentId: await agent(divisionId),
      delta: 1,
      reason: 'x',
      evalId: evaluated.json.eval_id,
    };
    expect(refusal(await operator().post('/kernel/allocate', wrongEval))).toEqual([404, 'eval_not_found']);

    const trace = (await operator().get(`/kernel/reason/${allocated.json.allocation.id}`)).json;
    expect(trace).toMatchObject({ kind: 'event', stream: `allocation/${divisionId}`, truncated: false });
    const steps = trace.trace as {
      id: string;
      type: string;
      note: string;
      because: { relation: string; id: string }[];
    }[];
    expect(new Set(steps.map(({ type }) => type))).toEqual(
      new Set([
        'division.registered',
        'manifest.signed',
        'agent.spawned',
        'agent.started',
        'eval.submitted',
        'allocation.granted',
      ]),
    );
    const because = (stepId: string) => steps.find((step) => step.id === stepId)?.because;
    const { audit_id: registered } = (await operator().get(`/kernel/division/${divisionId}`)).json;
    expect(because(allocated.json.allocation.id)).toEqual([
      { relation: 'evaluation', id: evaluated.json.eval_id },
      { relation: 'agent', id: started.json.audit_id },
      { relation: 'budget', id: registered },
    ]);
    expect(because(evaluated.json.eval_id)).toEqual([{ relation: 'caused_by', id: started.json.audit_id }]);
    expect(because(started.json.audit_id)).toEqual([{ relation: 'follows', id: spawned.json.audit_id }]);
    expect(because(spawned.json.audit_id)).toEqual([
      { relation: 'template', id: made.auditId },
      { relation: 'division', id: registered },
    ]);
    // In the order in which it happened, so that it reads as a story.
    expect(steps.at(-1)).toMatchObject({
      type: 'allocation.granted',
      note: `2 of default for agent/${id}: it does well`,
    });

    // And in the other direction: the effects of the template's signature, and of the division, end in the allocation.
    const forward = async (node: string, more = '') =>
      (
        await operator().get(
          `/kernel/reason/${node}?direction=effects${more}`,
          since(allocated.json.position),
        )
      ).json as {
        direction: string;
        truncated: boolean;
        trace: { id: string; type: string; distance: number }[];
      };
    const ofTemplate = await forward(made.auditId);
    expect(ofTemplate).toMatchObject({ direction: 'effects', truncated: false });
    expect(ofTemplate.trace.map(({ type, distance }) => [type, distance])).toEqual([
      ['manifest.signed', 0],
      ['agent.spawned', 1],
      ['agent.started', 2],
      ['eval.submitted', 3],
      ['allocation.granted', 3],
    ]);
    const ofDivision = await forward(`division%2F${divisionId}`);
    expect(ofDivision.trace.map(({ type }) => type)).toEqual([
      'division.registered',
      ...['agent.spawned', 'agent.started', 'eval.submitted', 'allocation.granted', 'agent.spawned'],
    ]);
    expect(await forward(made.auditId, '&depth=1')).toMatchObject({
      truncated: true,
      trace: [{ type: 'manifest.signed' }, { type: 'agent.spawned' }],
    });
    expect((await forward(allocated.json.allocation.id as string)).trace).toHaveLength(1);
    for (const bad of ['direction=sideways', 'depth=0', 'depth=201']) {
      expect((await operator().get(`/kernel/reason/${id}?${bad}`)).status).toBe(400);
    }

    const aggregate = (await operator().get(`/kernel/reason/agent%2F${id}`)).json;
    expect(aggregate).toMatchObject({ kind: 'aggregate', stream: `agent/${id}` });
    expect((await operator().get(`/kernel/reason/${id}`)).json.trace).toEqual(aggregate.trace);
    expect(refusal(await operator().get('/kernel/reason/nothing'))).toEqual([404, 'node_not_found']);
    const manifest = { id: divisionId, version: 1 };
    await operator().post('/kernel/sign', { manifest });
    const ambiguous = await operator().get(`/kernel/reason/${divisionId}`);
    expect([...refusal(ambiguous), ambiguous.json.nodes]).toEqual([
      409,
      'ambiguous_node',
      [`division/${divisionId}`, `manifest/${divisionId}`],
    ]);
  });

  it('an event of another division is in the trace with nothing but its position', async () => {
    const found = await operator().get('/kernel/division/product');
    if (found.status === 404) await register({ id: 'product', budget: 100 });
    // The lead may not read a template of no division, though they may spawn from it.
    const id = await agent('product');
    const { trace } = (await lead().get(`/kernel/reason/${id}`)).json as { trace: JsonObject[] };
    const withheld = trace.filter((step) => step['withheld'] === true);
    expect(withheld).toHaveLength(1);
    expect(withheld[0]).toMatchObject({
      type: null,
      stream: null,
      actor: null,
      note: null,
      hash: null,
      because: [],
    });
    expect(trace.filter((step) => step['withheld'] === false).map((step) => step['type'])).toContain(
      'agent.spawned',
    );
  });

  it('is done from the command line, too', async () => {
    const connection = connectionTo(stack(), stack().identities.callers.OPERATOR);
    const kernel = (words: string, ...args: string[]) => cli([...words.split(' '), ...args, ...connection]);
    const file = async (name: string, value: object) => {
      await writeFile(join(stack().dir, name), JSON.stringify(value));
      return join(stack().dir, name);
    };
    const [divisionId, agentId] = [nextId('division'), nextId('agent')];
    const manifest = await file('division.json', { id: divisionId, budget: { gpu: 4 } });
    expect(await kernel('division register', manifest)).toContain(`${divisionId} at version 1 is active`);
    const made = await file('template.json', { id: 'cli-template', version: '1.0.0' });
    const envelope = join(stack().dir, 'envelope.json');
    await kernel('sign', made, '--out', envelope);
    const source = ['--division', divisionId, '--template', made, '--envelope', envelope];
    const spawned = await kernel('agent spawn', ...source, '--id', agentId, '--skill', 'a', 'b');
    expect(spawned).toContain(`${agentId} of ${divisionId} is spawned`);
    expect(spawned).toContain('can be    running, failed, retired');
    expect(await kernel('agent start', agentId, '--reason', 'go')).toContain('is running');
    const metrics = ['--metric', 'success=0.9', 'model=a', 'safe=true', '--score', '0.9'];
    const evalId = / ([0-9a-f-]{36}) /.exec(await kernel('agent evaluate', agentId, ...metrics))?.[1] ?? '';
    const pool = ['--agent', agentId, '--pool', 'gpu', '--reason', 'it does well'];
    expect(await kernel('allocation grant', '3', ...pool, '--eval', evalId)).toContain(
      'gpu: 4, of which 3 allocated and 1 available',
    );
    expect(await kernel('allocation grant', '1.5', ...pool)).toContain('409 (over_budget)');
    expect(await kernel('allocation release', '2', ...pool)).toContain('holds 1 of the pool gpu');
    const shown = await kernel('agent show', agentId);
    expect(shown).toContain('holds     1 of gpu');
    expect(shown).toContain('model=a safe=true success=0.9');
    const reason = await kernel('reason', evalId);
    expect(reason).toContain('agent.started');
    expect(reason).toMatch(/template: \d/);
    expect(await kernel('division show', divisionId)).toContain('"gpu": 4');
    await untilIndexed();
    expect(await kernel('division list')).toContain(divisionId);
    expect(await kernel('agent list', '--division', divisionId)).toContain(agentId);
    expect(await kernel('agent evals', '--agent', agentId)).toContain(evalId);
    expect(await kernel('allocation list', '--division', divisionId)).toContain('it does well');
    const effects = await kernel('reason', `agent/${agentId}`, '--effects');
    expect(effects.match(/(agent|eval|allocation)\.\w+/g)?.slice(0, 4)).toEqual([
      ...['agent.spawned', 'agent.started', 'eval.submitted', 'allocation.granted'],
    ]);
    expect(await kernel('reason', `agent/${agentId}`, '--effects', '--depth', '1')).toContain(
      'There is more',
    );
  });

  it('is verified in the database and the archive, and the same everywhere', async () => {
    const copies = await Copies.open(stack());
    try {
      const store = await expectEqualCopies(copies);
      const types = new Set([...store.values()].map((text) => (JSON.parse(text) as { type: string }).type));
      for (const type of ['division.registered', 'agent.spawned', 'eval.submitted', 'allocation.granted']) {
        expect(types).toContain(type);
      }
    } finally {
      await copies.close();
    }
    const signers = join(stack().dir, 'signers-of-test.json');
    await writeFile(signers, (await operator().get('/kernel/keys/signers.json')).text);
    const heads = join(stack().dir, 'heads-of-test.json');
    await writeFile(heads, (await operator().get('/kernel/audit/head')).text);
    for (const source of [
      ['--database-url', stack().postgres.ownerUrl],
      ['--dir', String(stack().archive.environment['KERNEL_ARCHIVE_DIR'])],
    ]) {
      const verify = join(workTree(), 'tools', 'audit-verify.js');
      const args = ['--signers', signers, '--origin', stack().origin, '--expect-head', heads];
      const { stdout } = await promisify(execFile)(process.execPath, [verify, ...source, ...args]);
      expect(stdout).toMatch(/^Audit chain verified\. Head hash: /m);
    }
  });
});
