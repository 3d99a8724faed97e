import { Client } from 'pg';
import { type HttpAnswer, withStack } from '#dev/testing';
import { ContractClient, kernelContract } from '../contract/contract.client';

const EVENT = { type: 'thing.changed', payload: { n: 1 } };
const MANIFEST = { manifest: { id: 'awaited', version: '1.0.0', kind: 'agent' } };

it('every operation that writes can be awaited', () => {
  const writes = kernelContract().operations.filter(({ writes }) => writes);
  expect(writes.length).toBeGreaterThan(0);
  for (const { id, headerParameters, responses } of writes) {
    expect([id, headerParameters.some(({ name }) => name === 'kernel-await')]).toEqual([id, true]);
    expect([id, responses.has('202')]).toEqual([id, true]);
  }
});

describe('Kernel-Await', () => {
  const stack = withStack({
    workers: ['outbox-relay'],
    kernelVariables: { KERNEL_AWAIT_TIMEOUT_MS: '60000', KERNEL_AWAIT_LIMIT: '2' },
  });
  const write = (
    headers: Record<string, string>,
    path = '/kernel/audit',
    body: unknown = EVENT,
  ): Promise<HttpAnswer> => new ContractClient(stack().client('OPERATOR')).post(path, body, { headers });

  async function query<R extends object>(sql: string, values: unknown[] = []): Promise<R[]> {
    const client = new Client({ connectionString: stack().postgres.superuserUrl });
    await client.connect();
    try {
      return (await client.query<R>(sql, values)).rows;
    } finally {
      await client.end();
    }
  }

  const cursor = async (): Promise<number> =>
    Number((await query<{ seq: string }>('SELECT seq FROM kernel.relay_cursors'))[0]?.seq ?? 0);
  const seqOf = ({ json }: HttpAnswer): number =>
    Number((json as { position: string }).position.split(':')[1]);

  async function waiting(): Promise<number> {
    const { text } = await stack().management('/metrics');
    return Number(/^kernel_await_waiting (\d+)$/m.exec(text)?.[1]);
  }

  async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  it.each([
    ['an event', '/kernel/audit', EVENT, 201],
    ['a signature', '/kernel/sign', MANIFEST, 200],
  ])('answers %s when it is published', async (_, path, body, status) => {
    const answer = await write({ 'kernel-await': 'published' }, path, body);
    expect(answer.status).toBe(status);
    expect(await cursor()).toBeGreaterThanOrEqual(seqOf(answer));
  });

  it('answers when it is archived, woken by the archiver', async () => {
    // The archiver's part, played by the test.
    const archived = write({ 'kernel-await': 'archived' });
    await until(async () => (await waiting()) === 1, 'the write waits');
    const [head] = await query<{ seq: string }>('SELECT seq FROM kernel.shard_head');
    await query(
      `INSERT INTO kernel.stream_positions (consumer, shard, seq, hash, cursor, event_ts)
       SELECT 'archiver', shard, seq, hash, '', ts FROM kernel.shard_head`,
    );
    const answer = await archived;
    expect([answer.status, seqOf(answer)]).toEqual([201, Number(head?.seq)]);
    await query('DELETE FROM kernel.stream_positions');
  });

  it('answers 202 with everything else the same when the wait that the caller prefers is over', async () => {
    const headers = {
      'kernel-await': 'archived',
      prefer: 'return=minimal, wait=0',
      'idempotency-key': 'k-1',
    };
    const answer = await write(headers);
    expect(answer.status).toBe(202);
    const again = await write({ 'kernel-await': 'published', 'idempotency-key': 'k-1' });
    expect([again.status, again.text]).toEqual([201, answer.text]);
  });

  it('lets only so many wait, and none that is gone', async () => {
    const client = stack().client('OPERATOR');
    const abandoned = [1, 2].map(() => {
      const controller = new AbortController();
      const done = client
        .request('POST', '/kernel/audit', {
          json: EVENT,
          headers: { 'kernel-await': 'archived' },
          signal: controller.signal,
        })
        .catch((error: Error) => error.name);
      return { done, abort: () => controller.abort() };
    });
    await until(async () => (await waiting()) === 2, 'two wait');
    expect((await write({ 'kernel-await': 'archived' })).status).toBe(202);
    for (const { abort } of abandoned) abort();
    await Promise.all(abandoned.map(({ done }) => done));
    await until(async () => (await waiting()) === 0, 'nobody waits');
  });

  it('commits while the relay is away, and answers when it is back', async () => {
    const relay = stack().worker('outbox-relay').process;
    const head = async (): Promise<number> =>
      Number((await query<{ seq: string }>('SELECT seq FROM kernel.shard_head'))[0]?.seq);
    await until(async () => (await cursor()) === (await head()), 'nothing is left to publish');
    await relay.kill();
    const published = write({ 'kernel-await': 'published' });
    await until(async () => (await waiting()) === 1, 'the write waits');
    const from = await cursor();
    await relay.start();
    const answer = await published;
    expect([answer.status, seqOf(answer)]).toEqual([201, from + 1]);
  });

  it('refuses what cannot be waited for', async () => {
    const answer = await write({ 'kernel-await': 'engraved' });
    expect([answer.status, (answer.json as { error: string }).error]).toEqual([400, 'invalid_request']);
  });

  it('answers those who wait when the kernel stops', async () => {
    const client = stack().client('OPERATOR');
    const waiter = client.post('/kernel/audit', EVENT, { headers: { 'kernel-await': 'archived' } });
    await until(async () => (await waiting()) === 1, 'the write waits');
    await stack().kernels[0]?.process.stop();
    expect((await waiter).status).toBe(202);
    await stack().kernels[0]?.process.start();
    await stack().whenReady();
  });
});
