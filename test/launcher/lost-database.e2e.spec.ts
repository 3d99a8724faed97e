import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEnvironmentFile } from '#dev/devstack';
import { type HttpAnswer, MtlsClient } from '#dev/testing';
import { type SecurityStatus } from '#openapi/kernel';
import { Launcher, until } from './launcher.driver';

const EVENTS = 60;

/** Answers that a reader of this kernel gets: they must be the same afterwards, byte for byte. */
interface Sight {
  heads: string;
  export: string;
  /** One event, a list by stream, the keys: each as it was answered. */
  answers: string[];
}

describe('a whole database that is lost', () => {
  let launcher: Launcher;
  let clients: MtlsClient[];
  let before: Sight;
  let signers: string;
  const file = (...parts: string[]): string => join(launcher.state, ...parts);

  beforeAll(async () => {
    launcher = await Launcher.create();
    clients = [];
    await launcher.upReady();
    const operator = await caller('OPERATOR');
    const manifest = { id: 'kept', version: '1.0.0', kind: 'agent' };
    expect((await operator.post('/kernel/sign', { manifest })).status).toBe(200);
    for (let n = 0; n < EVENTS; n++) {
      const event = { type: 'thing.changed', stream: `thing/${n % 5}`, payload: { n, odd: 'é"\\' } };
      const durable = n === EVENTS - 1 ? { headers: { 'kernel-await': 'archived' } } : {};
      expect((await operator.post('/kernel/audit', event, durable)).status).toBe(201);
    }
    before = await sight();
    signers = join(launcher.scratch, 'signers.json');
    await writeFile(signers, (await operator.get('/kernel/keys/signers.json')).text);
    await launcher.on('down');
    await rm(file('postgres'), { recursive: true });
  }, 180_000);
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await launcher.stop();
  }, 60_000);

  async function caller(name: 'OPERATOR' | 'SUPERADMIN'): Promise<MtlsClient> {
    const variables = await readEnvironmentFile(file('kernel.env'));
    const value = (key: string): string => String(variables[`KERNEL_${key}`]);
    const identity = { cert: value(`${name}_CERT`), key: value(`${name}_KEY`) };
    const client = new MtlsClient(value('API_URL'), { ca: value('CA_CERT'), identity });
    clients.push(client);
    return client;
  }

  async function sight(): Promise<Sight> {
    const operator = await caller('OPERATOR');
    const text = async (path: string): Promise<string> => {
      const answer = await operator.get(path);
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
      return answer.text;
    };
    const heads = await text('/kernel/audit/head');
    const exported = await text('/kernel/audit/export');
    const [{ seq }] = JSON.parse(heads) as [{ seq: number }];
    const { id } = JSON.parse(String(exported.split('\n')[3])) as { id: string };
    // The index follows the store, and after the loss it starts again.
    await until(async () => {
      const { status } = await operator.get('/kernel/audit?limit=1', {
        headers: { 'kernel-min-position': `0:${seq}` },
      });
      return status === 200;
    });
    const answers = await Promise.all(
      [`/kernel/audit/${id}`, '/kernel/audit?stream=thing/3', '/kernel/keys'].map(text),
    );
    return { heads, export: exported, answers };
  }

  const replay = (...args: string[]) =>
    launcher.on('replay', '--from', 'archive', '--to', 'store', '--signers', signers, ...args);

  const refusal = ({ status, json }: HttpAnswer) => [status, (json as { error: string }).error];

  it('starts in safe-mode, begins no second chain, and says what to do', async () => {
    const up = await launcher.up();
    expect(up.code).toBe(1);
    expect(up.stdout).toMatch(/^NOT READY: .*\n.*safe-mode/);
    expect(up.stdout).toContain('./kernel replay --from archive --to store --state');
    const operator = await caller('OPERATOR');
    const manifest = { id: 'too-early', version: '1.0.0', kind: 'agent' };
    expect(refusal(await operator.post('/kernel/sign', { manifest }))).toEqual([503, 'safe_mode']);
    const superadmin = await caller('SUPERADMIN');
    const change = { mode: 'normal', reason: 'impatience' };
    expect(refusal(await superadmin.post('/kernel/admin/mode', change))).toEqual([409, 'being_restored']);
    const status = await operator.get('/kernel/security/status');
    expect(status.json).toMatchObject({ mode: 'safe-mode', restoring: true, heads: [{ seq: 0 }] });
    const said = await launcher.on('status');
    expect([said.code, said.stdout]).toEqual([1, expect.stringContaining('the store is being rebuilt')]);
  });

  it('is not filled from an archive in which an event was changed, or is missing', async () => {
    const copy = join(launcher.scratch, 'copy');
    await cp(file('archive'), copy, { recursive: true });
    const names = (await readdir(copy, { recursive: true })).filter((name) => /audit\/.*\.json$/.test(name));
    const victim = join(copy, String(names.sort()[20]));
    const bytes = await readFile(victim, 'utf8');
    await chmod(victim, 0o644);
    await writeFile(victim, bytes.replace('"n":', '"m":'));
    expect(await replay('--archive-dir', copy)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/hash/),
    });
    await rm(victim);
    expect(await replay('--archive-dir', copy)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is missing/),
    });
    const empty = join(launcher.scratch, 'empty');
    await mkdir(empty);
    expect(await replay('--archive-dir', empty)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/holds no event/),
    });
    const { heads } = (await (await caller('OPERATOR')).get('/kernel/security/status'))
      .json as SecurityStatus;
    expect(heads[0]?.seq).toBe(0);
    expect((await launcher.on('mode')).stdout).toContain('safe-mode since');
  });

  it('is rebuilt from the archive: same heads, same answers, and the kernel goes on by itself', async () => {
    const replayed = await replay('--json');
    expect(replayed).toMatchObject({ code: 0 });
    const [head] = JSON.parse(before.heads) as [{ seq: number; hash: string }];
    expect(JSON.parse(replayed.stdout)).toMatchObject({
      heads: [{ shard: 0, seq: head.seq, hash: head.hash }],
    });
    await until(async () => (await launcher.on('status')).code === 0);
    const after = await sight();
    const lines = after.export.split('\n');
    expect(lines.slice(0, head.seq).join('\n')).toBe(before.export.trimEnd());
    expect(after.answers).toEqual(before.answers);
    // What is new is the record of the two changes of the mode.
    const added = lines.slice(head.seq, -1).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(added.map(({ type, payload }) => [type, (payload as { to: string }).to])).toEqual([
      ['mode.changed', 'safe-mode'],
      ['mode.changed', 'normal'],
    ]);
    const operator = await caller('OPERATOR');
    const manifest = { id: 'afterwards', version: '1.0.0', kind: 'agent' };
    const signed = await operator.post(
      '/kernel/sign',
      { manifest },
      { headers: { 'kernel-await': 'archived' } },
    );
    expect(signed.status).toBe(200);
    expect((await launcher.on('audit verify')).stdout).toContain('Audit chain verified');
  });

  it('is left as it is by a replay that was not needed', async () => {
    // The archive has it all, and a moment later the store has more.
    expect(await replay()).toMatchObject({ code: 0, stderr: expect.stringContaining('event store') });
    expect((await launcher.on('mode')).stdout).toContain('normal since');
    expect((await launcher.on('status')).code).toBe(0);
  });
});
