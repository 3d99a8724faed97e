import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addCheckpointText, judgeByPolicy, parseLogPolicy } from '#evidence';
import { HttpWitness } from '#platform/log';
import { until } from '../faults/until';
import { FolderServer, SmallLog } from './small-log';
import { kernelWitness, witnessProgram, WitnessProcess } from './witness-process';

const ORIGIN = 'kernel.example.com/witnessed';

describe('a witness', () => {
  let witness: WitnessProcess;
  let client: HttpWitness;
  const log = new SmallLog(ORIGIN).grow(300);
  const other = new SmallLog('kernel.example.com/unknown').grow(3);

  beforeAll(async () => {
    witness = await WitnessProcess.make('witness.example.com/w1');
    await witness.start([log.vkey]);
    client = new HttpWitness({ name: 'w1', url: witness.url, vkey: witness.vkey });
  });
  afterAll(async () => {
    await client.close();
    await witness.remove();
  });

  const post = (body: string | Uint8Array) =>
    fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
  const ask = async (size: number, oldSize: number, of = log, from = oldSize) =>
    client.addCheckpoint({
      oldSize,
      consistency: await of.consistency(from, size),
      checkpointNote: await of.checkpoint(size),
    });

  it('has a key that only its owner can read', async () => {
    expect((await stat(join(witness.folder, 'witness.key'))).mode & 0o777).toBe(0o600);
    expect(witness.vkey).toMatch(/^witness\.example\.com\/w1\+[0-9a-f]{8}\+B[A-Za-z0-9+/]{43}$/);
    const again = await kernelWitness(['init', 'witness.example.com/w2', '--dir', witness.folder]);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('has a witness already');
  });

  it('cosigns a log as it grows, so that a policy is met', async () => {
    const first = await ask(100, 0);
    expect(first).toEqual({ cosignatures: [expect.stringContaining('\u2014 witness.example.com/w1 ')] });
    const second = await ask(257, 100);
    const lines = 'cosignatures' in second ? second.cosignatures : [];
    const policy = parseLogPolicy(`log ${log.vkey}\nwitness w1 ${witness.vkey}\nquorum w1\n`);
    const note = `${await log.checkpoint(257)}${lines.join('')}`;
    const verdict = judgeByPolicy(policy, note);
    expect(verdict.refusal).toBeNull();
    expect(Math.abs(Date.now() / 1_000 - (verdict.cosigned[0]?.time ?? 0))).toBeLessThan(60);
    // The same tree again, as it is when a log publishes without news.
    expect(await ask(257, 257)).toHaveProperty('cosignatures');
  });

  it('says at which size it is to a log that does not know', async () => {
    expect(await ask(300, 0)).toEqual({ conflict: 257 });
    const answer = await post(
      addCheckpointText({ oldSize: 0, consistency: [], checkpoint: await log.checkpoint() }),
    );
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      409,
      'text/x.tlog.size',
      '257\n',
    ]);
  });

  it('does not cosign an older size', async () => {
    expect(await ask(200, 100)).toEqual({ conflict: 257 });
    expect(await ask(100, 0)).toEqual({ conflict: 257 });
  });

  it('does not cosign another view of the log', async () => {
    const split = new SmallLog(ORIGIN, 0, log).grow(257, 'another').grow(300);
    await expect(ask(257, 257, split)).rejects.toMatchObject({ code: 'refused', details: { status: 409 } });
    await expect(ask(300, 257, split)).rejects.toMatchObject({ code: 'refused', details: { status: 422 } });
    // With the proof of the view that was cosigned.
    const checkpointNote = await split.checkpoint(300);
    await expect(
      client.addCheckpoint({ oldSize: 257, consistency: await log.consistency(257, 300), checkpointNote }),
    ).rejects.toMatchObject({ code: 'refused', details: { status: 422 } });
    const labels = `log="${log.name}"`;
    expect(await witness.metric(`witness_log_inconsistent{${labels}}`)).toBe(1);
    expect(await witness.metric(`witness_checkpoints_total{${labels},result="split_view"}`)).toBe(1);
    expect(await witness.metric(`witness_log_size{${labels}}`)).toBe(257);
    // The line is written by another process, and may come after the answer.
    await until('it is logged', () => witness.log.tail().join('\n').includes('the log shows two views'));
  });

  it('knows the statuses of c2sp.org/tlog-witness', async () => {
    const note = await log.checkpoint();
    const consistency = await log.consistency(257);
    const foreign = new SmallLog(ORIGIN).grow(300);
    const body = (oldSize: number, checkpoint: string, hashes = consistency) =>
      addCheckpointText({ oldSize, consistency: hashes, checkpoint });
    const status = async (text: string | Uint8Array) => (await post(text)).status;
    expect(await status(body(257, await other.checkpoint()))).toBe(404);
    expect(await status(body(257, await foreign.checkpoint()))).toBe(403);
    expect(await status(body(301, note))).toBe(400);
    expect(await status(body(257, note.replace('\n300\n', '\n0300\n')))).toBe(400);
    expect(await status('old 257\n')).toBe(400);
    expect(await status(Buffer.of(0xff, 0xfe, 10, 10))).toBe(400);
    expect(await status(body(257, note, []))).toBe(422);
    expect(await status(body(257, note, [...consistency, Buffer.alloc(32)]))).toBe(422);
    expect(await status('x'.repeat(70_000))).toBe(413);
    expect((await fetch(`${witness.url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(`${witness.url}/checkpoint`)).status).toBe(404);
    expect((await fetch(`${witness.url}/health`)).status).toBe(200);
  });

  it('cosigns one of two views that come at the same moment, however many come', async () => {
    const views = Array.from({ length: 12 }, (_, n) =>
      new SmallLog(ORIGIN, 0, log).grow(257).grow(280, n === 0 ? 'event' : `view ${n}`),
    );
    const answers = await Promise.allSettled(views.map((view) => ask(280, 257, view)));
    const cosigned = answers.filter(
      (answer) => answer.status === 'fulfilled' && 'cosignatures' in answer.value,
    );
    expect(cosigned).toHaveLength(1);
    const winner = views[answers.indexOf(cosigned[0] as (typeof answers)[number])];
    expect(await ask(280, 280, winner)).toHaveProperty('cosignatures');
  });

  it('lets no second process use its state, and remembers after a kill', async () => {
    const second = await kernelWitness([
      '--dir',
      witness.folder,
      '--log',
      log.vkey,
      '--listen',
      '127.0.0.1:0',
    ]);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toContain('a witness runs on this folder');
    await witness.kill();
    await witness.start([log.vkey]);
    await client.close();
    client = new HttpWitness({ name: 'w1', url: witness.url, vkey: witness.vkey });
    expect(await ask(100, 0)).toEqual({ conflict: 280 });
  });

  it('does not start with a state that was put back or damaged, and says what to do', async () => {
    await witness.stop();
    const state = join(witness.folder, 'state');
    const text = await readFile(state, 'utf8');
    await writeFile(state, text.slice(0, -20));
    const { code, stderr } = await witnessProgram([], witness.settings);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^witness: The state of the witness, .+ is cut off or changed.+docs\/witness\.md\)\.\n$/,
    );
  });
});

describe('a witness that follows a log', () => {
  let witness: WitnessProcess;
  let server: FolderServer;
  const log = new SmallLog(ORIGIN, 2).grow(700);
  const tree = () => join(witness.dir, 'published/log/2');

  beforeAll(async () => {
    witness = await WitnessProcess.make('follower.example.com');
    server = await FolderServer.start(join(witness.dir, 'published'));
    await witness.know([log.vkey]);
  });
  afterAll(async () => {
    await server.stop();
    await witness.remove();
  });
  const once = () =>
    witnessProgram(['--once'], {
      ...witness.settings,
      KERNEL_WITNESS_FOLLOW: server.url,
      KERNEL_WITNESS_PUBLISH_DIR: join(witness.dir, 'cosigned'),
    });

  it('checks from its tiles that it continues, and keeps what it cosigned for others', async () => {
    await log.publish(tree());
    expect(await once()).toMatchObject({ code: 0, stdout: `${log.name}: cosigned at size 700\n` });
    const { folder } = witness;
    const args = ['--dir', folder, '--log', log.vkey, '--follow', server.url, '--once'];
    expect(await kernelWitness(args)).toMatchObject({
      code: 0,
      stdout: `${log.name}: unchanged at size 700\n`,
    });
    await log.grow(70_000).publish(tree());
    expect(await once()).toMatchObject({ code: 0, stdout: `${log.name}: cosigned at size 70000\n` });
    const note = await readFile(join(witness.dir, 'cosigned', encodeURIComponent(log.name)), 'utf8');
    const policy = parseLogPolicy(`log ${log.vkey}\nwitness w ${witness.vkey}\nquorum w\n`);
    expect(judgeByPolicy(policy, note)).toMatchObject({ log: log.name, refusal: null });
  });

  it('says by its exit code that a log went back, forked, or cannot be read', async () => {
    const older = new SmallLog(ORIGIN, 2, log).grow(700);
    await older.publish(tree());
    expect(await once()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('700 is smaller') as string,
    });
    const fork = new SmallLog(ORIGIN, 2, log).grow(69_999).grow(70_000, 'other');
    await fork.publish(tree());
    expect(await once()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('has cosigned another root') as string,
    });
    await fork.grow(70_001).publish(tree());
    expect(await once()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('does not show') as string,
    });
    await log.grow(70_002).publish(tree());
    await rm(join(tree(), 'tile/1'), { recursive: true });
    expect(await once()).toMatchObject({ code: 2, stdout: expect.stringContaining('404') as string });
    await rm(join(tree(), 'checkpoint'));
    expect(await once()).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('no checkpoint') as string,
    });
  });

  it('goes on by itself while it serves', async () => {
    await log.publish(tree());
    await witness.start([log.vkey], {
      KERNEL_WITNESS_FOLLOW: server.url,
      KERNEL_WITNESS_FOLLOW_SECONDS: '1',
    });
    const size = async () => witness.metric(`witness_log_size{log="${log.name}"}`).catch(() => 0);
    while ((await size()) < 70_002) await sleep(50);
    await log.grow(70_300).publish(tree());
    while ((await size()) < 70_300) await sleep(50);
    expect(await witness.metric(`witness_log_inconsistent{log="${log.name}"}`)).toBe(0);
  });
});
