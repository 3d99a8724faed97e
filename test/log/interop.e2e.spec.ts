import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  cosignatureInput,
  includes,
  judgeByPolicy,
  noteKeyHash,
  noteKeyText,
  type NoteKey,
  parseCheckpointNote,
  parseLogPolicy,
  parseLogProof,
  signatureLine,
  timestampedSignature,
  witnessQuorum,
} from '#evidence';
import { guardFolder, releaseFolder } from '#dev/devstack';
import { HttpWitness } from '#platform/log';
import { LiteWitness } from './lite-witness';
import { FolderServer, SmallLog } from './small-log';
import { describeWithTlogTools, fsck, runTool } from './tlog-tools';
import { WitnessProcess } from './witness-process';

const ORIGIN = 'kernel.example.com/interop';

describeWithTlogTools('with the programs of others', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kernel-interop-'));
    guardFolder(dir);
  });
  afterAll(async () => {
    await rm(dir, { recursive: true, force: true });
    releaseFolder(dir);
  });

  describe('litewitness', () => {
    const log = new SmallLog(ORIGIN).grow(500);
    let theirs: LiteWitness;
    let client: HttpWitness;
    beforeAll(async () => {
      theirs = await LiteWitness.start(join(dir, 'litewitness'), { name: 'lite.example.org', log });
      client = new HttpWitness({ name: 'lite', url: theirs.url, vkey: theirs.vkey });
    });
    afterAll(async () => {
      await client.close();
      await theirs.stop();
    });
    const ask = async (size: number, oldSize: number, of = log) =>
      client.addCheckpoint({
        oldSize,
        consistency: await of.consistency(oldSize, size),
        checkpointNote: await of.checkpoint(size),
      });

    it('cosigns our checkpoints, and its cosignatures are verified here', async () => {
      expect(await ask(100, 0)).toHaveProperty('cosignatures');
      const answer = await ask(500, 100);
      const lines = 'cosignatures' in answer ? answer.cosignatures : [];
      const note = `${await log.checkpoint()}${lines.join('')}`;
      const policy = parseLogPolicy(`log ${log.vkey}\nwitness lite ${theirs.vkey}\nquorum lite\n`);
      expect(judgeByPolicy(policy, note)).toMatchObject({ log: log.name, refusal: null });
    });

    it('refuses what ours does', async () => {
      expect(await ask(500, 100)).toEqual({ conflict: 500 });
      expect(await ask(200, 100)).toEqual({ conflict: 500 });
      const split = new SmallLog(ORIGIN, 0, log).grow(501, 'another');
      await expect(ask(501, 500, split)).rejects.toMatchObject({ code: 'refused', details: { status: 422 } });
      await expect(ask(500, 500, split)).rejects.toMatchObject({ code: 'refused' });
      const foreign = new SmallLog(ORIGIN).grow(600);
      await expect(ask(600, 500, foreign)).rejects.toMatchObject({
        code: 'refused',
        details: { status: 403 },
      });
    });

    it('and our own witness are a quorum, and neither cosigns the second of two views', async () => {
      const ours = await WitnessProcess.make('ours.example.org');
      await ours.start([log.vkey]);
      const second = new HttpWitness({ name: 'ours', url: ours.url, vkey: ours.vkey });
      try {
        log.grow(600);
        const split = new SmallLog(ORIGIN, 0, log).grow(500).grow(600, 'another');
        const answers = [
          await ask(600, 500),
          await second.addCheckpoint({ oldSize: 0, consistency: [], checkpointNote: await log.checkpoint() }),
        ];
        const lines = answers.flatMap((answer) => ('cosignatures' in answer ? answer.cosignatures : []));
        const note = `${await log.checkpoint()}${lines.join('')}`;
        expect(judgeByPolicy(witnessQuorum([theirs.vkey, ours.vkey], 2), note).refusal).toBeNull();
        for (const witness of [client, second]) {
          const submitted = split.grow(601);
          const request = {
            oldSize: 600,
            consistency: await submitted.consistency(600),
            checkpointNote: await submitted.checkpoint(),
          };
          await expect(witness.addCheckpoint(request)).rejects.toMatchObject({ details: { status: 422 } });
        }
      } finally {
        await second.close();
        await ours.remove();
      }
    });
  });

  describe('a Go log', () => {
    const origin = 'go.example.com/log';
    it('is cosigned by our witness, and verifies that with two libraries', async () => {
      const { output } = await runTool('witnessclient', ['-vkey', '-origin', origin]);
      const ours = await WitnessProcess.make('ours.example.org');
      await ours.start([output.trim()]);
      const submit = (sizes: string, ...more: string[]) =>
        runTool('witnessclient', [
          ...['-url', ours.url, '-witness', ours.vkey, '-origin', origin],
          ...['-sizes', sizes],
          ...more,
        ]);
      try {
        const text = 'text/plain; charset=utf-8';
        expect(await submit('1,5,256,257,1000,1000')).toEqual({
          code: 0,
          output: [1, 5, 256, 257, 1000, 1000].map((size) => `${size} 200 ${text}\n`).join(''),
        });
        expect((await submit('1001', '-old', '5')).output).toBe('1001 409 text/x.tlog.size 1000\n');
        expect((await submit('999', '-old', '5')).output).toBe('999 409 text/x.tlog.size 1000\n');
        expect((await submit('1001', '-old', '1000', '-view', 'other')).output).toBe(`1001 422 ${text}\n`);
        expect((await submit('1000', '-old', '1000', '-view', 'other')).output).toBe(
          '1000 409 text/x.tlog.size 1000\n',
        );
        expect((await submit('1001', '-old', '1000', '-key', 'thief')).output).toBe(`1001 403 ${text}\n`);
      } finally {
        await ours.remove();
      }
    });
  });

  describe('our log', () => {
    const log = new SmallLog(ORIGIN, 3).grow(66_000);
    const witness = (name: string) => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
      const key: NoteKey = { name, type: 'cosignature/v1', raw };
      const time = Math.floor(Date.now() / 1_000);
      return {
        vkey: noteKeyText(key),
        line: (note: string) => {
          const signature = sign(null, cosignatureInput(time, parseCheckpointNote(note).text), privateKey);
          const keyHash = noteKeyHash(name, raw, key.type);
          return signatureLine({ name, keyHash, signature: timestampedSignature({ time, signature }) });
        },
      };
    };
    const [w1, w2] = [witness('w1.example.org'), witness('w2.example.org')];
    let note: string;
    let server: FolderServer;
    const folder = () => join(dir, 'log/3');
    beforeAll(async () => {
      const signed = await log.checkpoint();
      note = `${signed}${w1.line(signed)}${w2.line(signed)}`;
      await log.publish(folder(), note);
      server = await FolderServer.start(dir);
    });
    afterAll(() => server.stop());

    const follow = () => runTool('follow', ['-url', `${server.url}/log/3`, '-log', log.vkey]);
    const check = () => fsck(`file://${folder()}/`, log.vkey, dir);

    it("is accepted by Tessera's fsck and by torchwood's client", async () => {
      expect(await follow()).toEqual({ code: 0, output: `${log.name}: 66000 entries\n` });
      expect(await check()).toMatchObject({ code: 0 });
    });

    it.each([
      ['an entry', 'tile/entries/100', 300],
      ['a hash of a full tile', 'tile/0/100', 40],
      ['a hash of a partial tile', 'tile/1/001.p/1', 5],
      ['the root', 'checkpoint', 45],
    ])('is refused by both when %s is changed', async (_, path, at) => {
      const file = join(folder(), path);
      const bytes = await readFile(file);
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await writeFile(file, changed);
      try {
        expect(await follow()).toMatchObject({ code: 1 });
        expect(await check()).toMatchObject({ code: 1 });
      } finally {
        await writeFile(file, bytes);
      }
    });

    it('gives receipts that Go verifies offline, with two cosignatures', async () => {
      const index = 40_000;
      const event = log.entries[index] as Buffer;
      const receipt = await log.receipt(index, note);
      expect(includes(parseLogProof(receipt), event)).toBe(true);
      await writeFile(join(dir, 'event.json'), event);
      await writeFile(join(dir, 'other.json'), '{"event":1}');
      await writeFile(join(dir, 'event.tlog-proof'), receipt);
      const verify = (...more: string[]) =>
        runTool('receipt', [
          ...['-log', log.vkey, '-witness', w1.vkey, '-witness', w2.vkey],
          ...['-event', join(dir, 'event.json'), '-receipt', join(dir, 'event.tlog-proof'), ...more],
        ]);
      expect(await verify('-quorum', '2')).toEqual({
        code: 0,
        output: `in ${log.name} at index ${index} of 66000, cosigned by 2\n`,
      });
      expect(await verify('-quorum', '3')).toMatchObject({ code: 1 });
      expect(await verify('-event', join(dir, 'other.json'))).toMatchObject({ code: 1 });
      const foreign = new SmallLog(ORIGIN, 3);
      expect(await verify('-log', foreign.vkey)).toMatchObject({ code: 1 });
    });
  });
});
