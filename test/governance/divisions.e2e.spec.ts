import { type JsonObject, manifestDigest } from '#libs/evidence';
import { withStack } from '#libs/testing';
import { ContractClient } from '../contract/contract.client';

let counter = 0;
const nextId = (what: string) => `${what}-${++counter}`;

describe('divisions, over mutual TLS', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer', 'archiver'] });
  const as = (caller: 'OPERATOR' | 'DIVISION_LEAD' | 'AUDITOR') => new ContractClient(stack().client(caller));
  const operator = () => as('OPERATOR');
  const lead = () => as('DIVISION_LEAD');

  const register = (manifest: JsonObject) => operator().post('/kernel/division', manifest);
  /** Lists that have what was written up to a position. */
  const since = (position: string) => ({ headers: { 'kernel-min-position': position } });

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
      Array.from({ length: 12 }, (_, n) => register({ id, version: 1, goals: [`goal ${n}`] })),
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
