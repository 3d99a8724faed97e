import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  leafHash,
  parseEvent,
  parseLogProof,
  rootOf,
  signatureBy,
  checkpointKey,
  parseSigners,
} from '#evidence';
import { ensureBuilt, type HttpAnswer, withStack, workTree } from '#dev/testing';
import { type AppendAnswer } from '#openapi/kernel';
import { ContractClient } from '../contract/contract.client';

const EVENT = { type: 'thing.changed', payload: { n: 1 } };

describe('receipts', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'log-publisher'],
    shards: 2,
    kernelVariables: { KERNEL_AWAIT_TIMEOUT_MS: '30000' },
  });
  const operator = (): ContractClient => new ContractClient(stack().client('OPERATOR'));
  const LOGGED = { headers: { 'kernel-await': 'logged' } };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-receipts-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Everything that a verifier checks, with the kernel's public keys and the event's bytes alone. */
  async function expectProves(receipt: string, event: Buffer): Promise<number> {
    const { shard, seq } = parseEvent(event);
    const { index, path, checkpoint } = parseLogProof(receipt);
    expect(checkpoint).toMatchObject({ origin: stack().origin, shard });
    expect(index).toBe(seq - 1);
    const root = rootOf({ index, size: checkpoint.size, leaf: leafHash(event), path });
    expect(root && Buffer.from(root).equals(checkpoint.root)).toBe(true);
    const signers = parseSigners((await operator().get('/kernel/keys/signers.json')).text);
    const key = signers.find(({ purposes }) => purposes.includes('checkpoint'));
    expect(signatureBy(checkpointKey(checkpoint, key?.public_key_pem ?? ''), checkpoint).state).toBe(
      'signed',
    );
    return checkpoint.size;
  }

  async function written(count = 1): Promise<AppendAnswer['events']> {
    const body = { events: Array.from({ length: count }, () => EVENT) };
    const answer = await operator().post('/kernel/audit', body, LOGGED);
    expect(answer.status).toBe(201);
    return (answer.json as AppendAnswer).events;
  }

  const bytesOf = async (id: string): Promise<Buffer> =>
    Buffer.from((await operator().get(`/kernel/audit/${id}`)).text, 'utf8');

  it('prove each event of both shards, as soon as a write that waits for the log is answered', async () => {
    const events = [...(await written(3)), ...(await written()), ...(await written()), ...(await written())];
    for (const { id } of events) {
      const answer = await operator().get(`/kernel/audit/${id}/receipt`);
      expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
      await expectProves(answer.text, await bytesOf(id));
    }
  });

  it('are not there before their checkpoint, and can be waited for', async () => {
    const publisher = stack().worker('log-publisher').process;
    await publisher.kill('SIGKILL');
    const answer = await operator().post('/kernel/audit', EVENT);
    const id = (answer.json as AppendAnswer).events[0]?.id ?? '';
    const early = await operator().get(`/kernel/audit/${id}/receipt`, {
      headers: { 'kernel-await': 'logged', prefer: 'wait=1' },
    });
    const waiting: Promise<HttpAnswer> = operator().get(`/kernel/audit/${id}/receipt`, LOGGED);
    await publisher.start();
    expect([early.status, early.json.error]).toEqual([404, 'not_in_log_yet']);
    expect((await waiting).status).toBe(200);
    await expectProves((await waiting).text, await bytesOf(id));
  });

  it('are for readers, of events that exist', async () => {
    const [event] = await written();
    const path = `/kernel/audit/${event?.id}/receipt`;
    expect((await new ContractClient(stack().client('AUDITOR')).get(path)).status).toBe(200);
    for (const caller of ['NOROLE', 'DIVISION_LEAD'] as const) {
      expect([caller, (await new ContractClient(stack().client(caller)).get(path)).status]).toEqual([
        caller,
        403,
      ]);
    }
    const absent = await operator().get('/kernel/audit/0190d0a0-0000-7000-8000-000000000000/receipt');
    expect([absent.status, absent.json.error]).toEqual([404, 'event_not_found']);
    const odd = await operator().get(path, { headers: { 'kernel-await': 'archived' } });
    expect(odd.status).toBe(400);
  });

  it('lead to a log that anyone can follow, and whose entries readers get', async () => {
    const [event] = await written();
    const [shard, seq] = [event?.shard ?? 0, event?.seq ?? 0];
    const url = `${stack().worker('log-publisher').listenUrl}/log/${shard}`;
    const checkpoint = await (await fetch(`${url}/checkpoint`)).text();
    const receipt = (await operator().get(`/kernel/audit/${event?.id}/receipt`)).text;
    const size = Number(checkpoint.split('\n')[1]);
    expect(size).toBeGreaterThanOrEqual(parseLogProof(receipt).checkpoint.size);
    expect((await fetch(`${url}/tile/entries/000.p/${size}`)).status).toBe(403);
    const bundle = await operator().get(`/log/${shard}/tile/entries/000.p/${size}`);
    expect(bundle.status).toBe(200);
    expect(bundle.headers['cache-control']).toContain('immutable');
    expect(bundle.text).toContain(event?.id);
    const tile = Buffer.from(await (await fetch(`${url}/tile/0/000.p/${size}`)).arrayBuffer());
    const leaf = tile.subarray((seq - 1) * 32, seq * 32);
    expect(leaf.equals(Buffer.from(leafHash(await bytesOf(event?.id ?? ''))))).toBe(true);
    for (const [path, status] of [
      [`/log/${shard}/tile/entries/999`, 404],
      [`/log/${shard}/tile/entries/0`, 404],
      [`/log/7/tile/entries/000`, 404],
      [`/log/${shard}/tile/entries/x001/000.p/3`, 404],
    ] as const) {
      expect([path, (await operator().get(path)).status]).toEqual([path, status]);
    }
    const lead = new ContractClient(stack().client('DIVISION_LEAD'));
    expect((await lead.get(`/log/${shard}/tile/entries/000.p/${size}`)).status).toBe(403);
  });

  it('come with a signature that the command line makes, and from it alone', async () => {
    const manifest = join(folder, 'release.json');
    await writeFile(manifest, JSON.stringify({ id: 'release', version: '1.0.0', kind: 'agent' }));
    const { caCert, callers } = stack().identities;
    const cli = async (...args: string[]): Promise<string> => {
      const program = join(await ensureBuilt(), 'apps', 'cli', 'main.js');
      const env = {
        KERNEL_API_URL: stack().kernels[0]?.apiUrl ?? '',
        KERNEL_CA_CERT: caCert,
        KERNEL_OPERATOR_CERT: callers.OPERATOR.cert,
        KERNEL_OPERATOR_KEY: callers.OPERATOR.key,
        KERNEL_AUDITOR_CERT: callers.AUDITOR.cert,
        KERNEL_AUDITOR_KEY: callers.AUDITOR.key,
      };
      return (await promisify(execFile)(process.execPath, [program, ...args], { env, cwd: folder })).stdout;
    };
    const said = await cli('sign', manifest, '--receipt');
    const id = /audit id +(\S+)/.exec(said)?.[1] ?? '';
    const event = await readFile(join(folder, 'release.event.json'));
    expect(event.equals(await bytesOf(id))).toBe(true);
    await expectProves(await readFile(join(folder, 'release.receipt.txt'), 'utf8'), event);
    expect(JSON.parse(await readFile(join(folder, 'release.envelope.json'), 'utf8'))).toHaveProperty(
      'payload',
    );
    const out = join(folder, 'again.txt');
    await cli('audit', 'receipt', id, '--out', out);
    await expectProves(await readFile(out, 'utf8'), event);
    expect(await cli('audit', 'receipt', id)).toContain('c2sp.org/tlog-proof@v1\n');

    // Then without the kernel: the committed verifier, these files and the public keys.
    const signers = join(folder, 'signers.json');
    await writeFile(signers, (await operator().get('/kernel/keys/signers.json')).text);
    const record = ['--event', join(folder, 'release.event.json'), '--receipt', out];
    const { shard, seq } = parseEvent(event);
    const position = `${shard}:${seq}`;
    expect(await verified('--signers', signers, ...record)).toContain(
      `Event verified: ${id}, manifest.signed, position ${position}, `,
    );
    const signature = ['--manifest', manifest, '--envelope', join(folder, 'release.envelope.json')];
    expect(await verified('--signers', signers, ...signature, ...record)).toContain(
      `; recorded at ${position} by event ${id}; in the log ${stack().origin}/log/${shard} at size `,
    );
  });

  it('and checkpoints anchor the whole chain', async () => {
    await written(3);
    const signers = join(folder, 'signers.json');
    await writeFile(signers, (await operator().get('/kernel/keys/signers.json')).text);
    const checkpoints = await Promise.all(
      [0, 1].map(async (shard) => {
        const path = join(folder, `checkpoint-${shard}`);
        const published = await fetch(`${stack().worker('log-publisher').listenUrl}/log/${shard}/checkpoint`);
        await writeFile(path, await published.text());
        return path;
      }),
    );
    const report = join(folder, 'report.html');
    const said = await verified(
      ...['--signers', signers, '--database-url', stack().postgres.ownerUrl, '--jobs', '1'],
      ...checkpoints.flatMap((path) => ['--checkpoint', path]),
      ...['--report', report],
    );
    for (const shard of [0, 1]) expect(said).toContain(`in the log: ${stack().origin}/log/${shard} at size `);
    expect(await readFile(report, 'utf8')).toContain('Audit chain verified');
  });

  /** What tools/audit-verify.js says when it exits with 0. */
  async function verified(...args: string[]): Promise<string> {
    const program = join(workTree(), 'tools', 'audit-verify.js');
    return (await promisify(execFile)(process.execPath, [program, ...args], { env: {}, cwd: folder })).stdout;
  }
});
