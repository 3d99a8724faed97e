import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditEvent, type SignerEntry, type SignersFile } from '#evidence';
import { type SignerChoice } from '#dev/devstack';
import { clockApart, describeWithFaketime, describeWithSoftHsm, withStack, workTree } from '#dev/testing';
import { type CompromisedKey } from '#openapi/kernel';
import { ContractClient } from '../contract/contract.client';
import { until } from '../faults/until';
import { SteadyWrites } from './steady-writes';

const SHARDS = 4;
/** On a machine that is busy with other things. */
const TIMEOUT_MS = 240_000;
const WRITES_PER_SECOND = 200;
/** V1 to V3 exist from the start, MADE and FIFTH are made while the kernel runs. */
const [V1, V2, V3, MADE, FIFTH] = [1, 2, 3, 4, 5].map((n) => `kernel-audit-ed25519-v${n}`) as [
  string,
  string,
  string,
  string,
  string,
];

describe('keys in files, under 200 writes a second, with two kernels and four shards', () => {
  rotatesAndRecovers('software');
});

describeWithSoftHsm(
  'keys in a PKCS#11 token, under 200 writes a second, with two kernels and four shards',
  () => {
    rotatesAndRecovers('pkcs11');
  },
);

describeWithFaketime('keys under 200 writes a second, with the clocks of the kernels an hour apart', () => {
  rotatesAndRecovers('software', '+1h');
});

const inEach = <T>(of: T): T[] => Array.from({ length: SHARDS }, () => of);

/** @param apart how far the clock of the second kernel is ahead of the first one's */
function rotatesAndRecovers(signer: SignerChoice, apart?: string): void {
  const stack = withStack({
    signer,
    kernels: 2,
    shards: SHARDS,
    kernelVariables: (_started, kernel) => ({
      KERNEL_DIRECT_KEY_ROTATION: '["audit","manifest"]',
      KERNEL_KEY_OVERLAP_SECONDS: '1',
      ...(apart !== undefined && { KERNEL_MAX_CLOCK_JUMP_SECONDS: '7200' }),
      ...(apart !== undefined && kernel === 1 && clockApart(apart)),
    }),
  });
  const admin = (kernel = 0) => new ContractClient(stack().client('SUPERADMIN', { kernel }));
  const operators = () => [0, 1].map((kernel) => stack().client('OPERATOR', { kernel, connections: 10 }));
  const trustRoot = async (): Promise<SignersFile> =>
    (await admin().get('/kernel/keys/signers.json')).json as SignersFile;

  /** Each shard's canonical events. */
  async function exported(): Promise<string[][]> {
    const shards = Array.from({ length: SHARDS }, (_, shard) =>
      stack().client('AUDITOR').get(`/kernel/audit/export?shard=${shard}`),
    );
    return (await Promise.all(shards)).map(({ text }) => text.split('\n').slice(0, -1));
  }
  const kidsOf = (lines: readonly string[]): string[] =>
    lines.map((line) => (JSON.parse(line) as AuditEvent).signerKid);
  /** The keys in the order in which they took over: one that occurs twice was interleaved with another. */
  const turns = (lines: readonly string[]): string[] =>
    kidsOf(lines).filter((kid, n, all) => n === 0 || all[n - 1] !== kid);

  /** Events whose key does not sign there by the positions of signers.json: no time is looked at. */
  const outOfSpan = (lines: readonly string[][], { signers }: SignersFile): string[] => {
    const in_ = (list: readonly { shard: number; seq: number }[], shard: number) =>
      list.find((one) => one.shard === shard)?.seq;
    return lines
      .flat()
      .map((line) => JSON.parse(line) as AuditEvent)
      .filter(({ shard, seq, signerKid }) => {
        const span = signers.find(({ signer_kid }) => signer_kid === signerKid)?.span;
        if (span === undefined) return true;
        const until = span.until === null ? Infinity : (in_(span.until, shard) ?? 0);
        return seq <= (in_(span.after, shard) ?? Infinity) || seq > until;
      })
      .map(({ shard, seq, signerKid }) => `${shard}:${seq} by ${signerKid}`);
  };

  /** Verdict of an auditor's own copy of the verifier, with a signers.json and nothing else. */
  async function verified(
    lines: readonly string[][],
    trust: SignersFile,
  ): Promise<{ code: number; stdout: string }> {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-test-keys-'));
    try {
      const [file, root] = [join(dir, 'export.ndjson'), join(dir, 'signers.json')];
      await writeFile(
        file,
        lines
          .flat()
          .map((line) => `${line}\n`)
          .join(''),
      );
      await writeFile(root, JSON.stringify(trust));
      const tool = join(workTree(), 'tools', 'audit-verify.js');
      return await new Promise((resolve) =>
        execFile(process.execPath, [tool, '--signers', root, '--export', file], (error, stdout) =>
          resolve({ code: error ? Number(error.code) : 0, stdout }),
        ),
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
  const signsEverywhere = (kid: string): Promise<void> =>
    until(`${kid} signs in every shard`, async () =>
      (await exported()).every((lines) => kidsOf(lines).at(-1) === kid),
    );

  let before: string[][];
  const loads: SteadyWrites[] = [];
  const load = (): SteadyWrites => {
    const writes = new SteadyWrites(operators(), WRITES_PER_SECOND);
    loads.push(writes);
    return writes;
  };
  afterEach(async () => {
    for (const writes of loads.splice(0)) await writes.stop();
  });

  it(
    'rotates without a refused write, and without two keys taking turns',
    async () => {
      const writes = load();
      await writes.taken(200);
      before = await exported();
      const { candidates, inForce } = (await admin().get('/kernel/keys/candidates')).json;
      expect(inForce).toMatchObject({ audit: V1 });
      expect((candidates as SignerEntry[]).map(({ signer_kid }) => signer_kid)).toEqual([
        V2,
        V3,
        'kernel-manifest-ed25519-v2',
      ]);
      expect((await admin().post('/kernel/keys/rotate', { purpose: 'checkpoint' })).json.error).toBe(
        'quorum_needed',
      );

      const rotated = await admin().post('/kernel/keys/rotate', { purpose: 'audit' });
      expect(rotated).toMatchObject({ status: 200, json: { from: V1, to: V2 } });
      await signsEverywhere(V2);
      await writes.taken(200);
      await until('the overlap is over', async () => {
        const { status, json } = await admin(1).post(`/kernel/keys/${V1}/retire`, {
          reason: 'its year is over',
        });
        expect([200, 409]).toContain(status);
        return status === 200 && (json as SignerEntry).status === 'retired';
      });
      await writes.taken(200);
      await writes.stop();

      expect(writes.refusals()).toEqual([]);
      const after = await exported();
      expect(after.map(turns)).toEqual(inEach([V1, V2]));
      const trust = await trustRoot();
      expect(outOfSpan(after, trust)).toEqual([]);
      const newest = after.map((lines) => (JSON.parse(lines.at(-1)!) as AuditEvent).ts).sort();
      const aheadMs = Date.parse(newest.at(-1)!) - Date.now();
      expect(aheadMs > 30 * 60 * 1_000).toBe(apart !== undefined);
      expect(await verified(after, trust)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^Audit chain verified/m),
      });
      // What was exported before all this still verifies, with the new signers.json too.
      expect(await verified(before, trust)).toMatchObject({ code: 0 });
    },
    TIMEOUT_MS,
  );

  it(
    'rotates to a key that the signing proxy makes meanwhile, and still has after it was killed',
    async () => {
      const writes = load();
      await writes.taken(100);
      const made = await admin(1).post('/kernel/keys/candidates', { purpose: 'audit' });
      expect(made).toMatchObject({ status: 201, json: { signer_kid: MADE, purposes: ['audit'] } });
      const again = await admin().post('/kernel/keys/candidates', { purpose: 'audit', kid: MADE });
      expect(again).toMatchObject({ status: 201, json: { position: made.json.position } });
      const named = await admin().post('/kernel/keys/candidates', { purpose: 'audit', kid: V1 });
      expect(named).toMatchObject({ status: 409, json: { error: 'signer_exists' } });
      const taken = await admin().post('/kernel/keys/candidates', {
        purpose: 'audit',
        kid: 'kernel-manifest-ed25519-v2',
      });
      expect(taken).toMatchObject({ status: 409, json: { error: 'key_not_made' } });

      const rotated = await admin().post('/kernel/keys/rotate', { purpose: 'audit', to: MADE });
      expect(rotated).toMatchObject({ status: 200, json: { from: V2, to: MADE } });
      await signsEverywhere(MADE);
      await writes.taken(100);
      await writes.stop();
      expect(writes.refusals()).toEqual([]);

      await stack().signingProxy.kill();
      await stack().signingProxy.start();
      await stack().whenReady();
      expect(
        (await admin().post('/kernel/audit', { type: 'thing.changed', stream: 'thing/after', payload: {} }))
          .status,
      ).toBe(201);
      const after = await exported();
      expect(after.map(turns)).toEqual(inEach([V1, V2, MADE]));
      expect(outOfSpan(after, await trustRoot())).toEqual([]);
      const recorded = after.flat().filter((line) => line.includes('"type":"signer_key.made"'));
      expect(recorded.map((line) => (JSON.parse(line) as AuditEvent).payload['signer_kid'])).toEqual([MADE]);
      expect(await verified(after, await trustRoot())).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^Audit chain verified/m),
      });
    },
    TIMEOUT_MS,
  );

  it(
    'cuts a stolen key off at once, and stands by what the kernel has signed with it since',
    async () => {
      const writes = load();
      await writes.taken(200);
      const theft = (await exported()).map((lines) => lines.length);
      await writes.taken(200);
      const since = { shard: 0, seq: theft[0] as number };
      const answer = await admin(1).post(`/kernel/keys/${MADE}/compromise`, {
        since,
        reason: 'a copy was found',
      });
      expect(answer.status).toBe(200);
      const done = answer.json as CompromisedKey;
      const resumed = performance.now();
      expect(done).toMatchObject({ kid: MADE, emergencyKid: V3, mode: 'normal' });
      expect(done.since).toContainEqual(since);
      expect(done.reattested.map(({ shard }) => shard).sort()).toEqual([0, 1, 2, 3]);
      expect(done.since.map(({ shard }) => shard)).toEqual([0, 1, 2, 3]);
      // Another process may need a second to hear that it may write again.
      await until(
        'every kernel writes',
        () => writes.answers.filter(({ at, status }) => at > resumed && status === 201).length > 100,
      );
      const settled = performance.now();
      await writes.taken(200);
      await writes.stop();

      expect(writes.refusals().filter((word) => word !== '503 read_only')).toEqual([]);
      expect(writes.refusals(settled)).toEqual([]);
      const after = await exported();
      expect(after.map(turns)).toEqual(inEach([V1, V2, MADE, V3]));
      const events = after.flat().map((line) => JSON.parse(line) as AuditEvent);
      const inDoubt = events.filter(
        ({ signerKid, shard, seq }) =>
          signerKid === MADE && seq >= (done.since.find((one) => one.shard === shard)?.seq ?? 0),
      );
      expect(done.reattested.reduce((sum, { count }) => sum + count, 0)).toBe(inDoubt.length);

      const trust = await trustRoot();
      expect(outOfSpan(after, trust)).toEqual([]);
      expect(trust.signers.map(({ signer_kid, status }) => [signer_kid, status])).toEqual(
        expect.arrayContaining([
          [V1, 'retired'],
          [MADE, 'compromised'],
          [V3, 'active'],
        ]),
      );
      const { code, stdout } = await verified(after, trust);
      expect([code, code === 0 ? '' : stdout.slice(0, 1_000)]).toEqual([0, '']);
      const lines = stdout.trimEnd().split('\n');
      for (const { shard, from, to, count } of done.reattested) {
        expect(lines).toContain(
          `re-attested: ${count} events by the compromised key ${MADE}, positions ${shard}:${from.seq} to ${shard}:${to.seq}; ${V3} stands by them at ${done.position}`,
        );
      }
      expect(lines.filter((line) => line.startsWith('Audit chain verified'))).toHaveLength(SHARDS);
      expect(await verified(before, trust)).toMatchObject({ code: 0 });
    },
    TIMEOUT_MS,
  );

  it('takes no event of the thief, and shows one that was slipped into an export', async () => {
    const again = await admin().post(`/kernel/keys/${MADE}/compromise`, {
      since: { shard: 0, seq: 1 },
      reason: 'asked twice',
    });
    // Already decided: the first statement remains in force.
    expect(again).toMatchObject({ status: 200, json: { kid: MADE, emergencyPosition: null } });
    const lines = await exported();
    const shortened = lines.map((shard) => shard.filter((line) => !line.includes('"signer.compromised"')));
    const { code, stdout } = await verified(shortened, await trustRoot());
    expect(code).toBe(1);
    expect(stdout).toMatch(/^gap: /m);
  });

  // The tests below do not depend on where the keys are, nor on clocks.
  if (signer !== 'software' || apart !== undefined) return;

  it('rotates and revokes a manifest key without touching what is recorded', async () => {
    const manifest = { id: 'm', version: '1' };
    const sign = async () => (await admin().post('/kernel/sign', { manifest })).json;
    const verdict = async ({ signature_record: { envelope } }: { signature_record: { envelope: unknown } }) =>
      (await admin().post('/kernel/verify', { manifest, envelope })).json as unknown;
    const genuine = await sign();
    expect(genuine.signature_record.signer_id).toBe('kernel-manifest-ed25519-v1');
    const doubtful = await sign();
    const [shard, seq] = (doubtful.position as string).split(':').map(Number);
    const done = await admin().post('/kernel/keys/kernel-manifest-ed25519-v1/compromise', {
      since: { shard, seq },
      reason: 'a copy was found',
    });
    expect(done).toMatchObject({
      status: 200,
      json: { emergencyKid: 'kernel-manifest-ed25519-v2', reattested: [], mode: 'normal' },
    });
    expect((await sign()).signature_record.signer_id).toBe('kernel-manifest-ed25519-v2');
    // The chain has the one from before the doubt; the other one's key may have been the thief's by then.
    expect(await verdict(genuine)).toEqual({ valid: true, reasons: [] });
    expect(await verdict(doubtful)).toMatchObject({
      valid: false,
      reasons: [expect.stringMatching(/^key_not_valid: .* in doubt/)],
    });
    expect(await verified(await exported(), await trustRoot())).toMatchObject({ code: 0 });
  });

  it.each([
    ['a key that is not there', 'none', { shard: 0, seq: 1 }, 404, 'signer_not_found'],
    ['a position that is not there', V3, { shard: 0, seq: 9_999_999 }, 400, 'invalid_since'],
    ['a time to come', V3, { ts: '2999-01-01T00:00:00Z' }, 400, 'invalid_since'],
    ['no key to go on with', V3, { shard: 0, seq: 1 }, 409, 'no_candidate'],
  ])('says what is wrong: %s', async (_what, kid, since, status, error) => {
    const answer = await admin().post(`/kernel/keys/${kid}/compromise`, { since, reason: 'x' });
    expect(answer).toMatchObject({ status, json: { error } });
  });

  it('stays read-only when nothing can take the place of the lost key', async () => {
    expect((await admin().get('/kernel/admin/mode')).json).toMatchObject({
      mode: 'read-only',
      reason: expect.stringContaining(`The key ${V3} is compromised`),
    });
  });

  it('has a key made while it is read-only, and goes on with it', async () => {
    expect((await admin().post('/kernel/audit', { type: 'thing.changed', payload: {} })).status).toBe(503);
    const made = await admin().post('/kernel/keys/candidates', { purpose: 'audit' });
    expect(made).toMatchObject({ status: 201, json: { signer_kid: FIFTH } });
    const body = { since: { shard: 0, seq: 1 }, reason: 'a copy was found' };
    expect(await admin().post(`/kernel/keys/${V3}/compromise`, body)).toMatchObject({
      status: 200,
      json: { emergencyKid: FIFTH, mode: 'normal' },
    });
    expect(await verified(await exported(), await trustRoot())).toMatchObject({ code: 0 });
  });

  it('goes on when the key in force is gone and nobody has it, with one that signs its own coming', async () => {
    // A key that was rotated away but is still valid would sign where the lost one has not signed yet.
    await until('the overlap is over', async () => {
      const { status } = await admin().post(`/kernel/keys/${V2}/retire`, { reason: 'its year is over' });
      return status === 200;
    });
    // As when a token breaks: no key answers to the name any more.
    await stack().signingProxy.kill();
    await rm(join(stack().dir, 'signing-keys', `${FIFTH}.key.json`));
    await stack().signingProxy.start();
    const write = () => admin().post('/kernel/audit', { type: 'thing.changed', payload: {} });
    await until('nothing can be signed', async () => (await write()).json.error === 'signing_unavailable');
    const last = (await exported()).map((lines) => lines.length);

    // The old key signs a rotation, so there can be none; it also signs the record of a new key, so that has to wait.
    const answer = await admin().post('/kernel/keys/candidates', { purpose: 'audit', kid: 'after-the-loss' });
    expect(answer).toMatchObject({ status: 503, json: { error: 'signing_unavailable' } });
    const { candidates } = (await admin().get('/kernel/keys/candidates')).json;
    expect((candidates as SignerEntry[]).map(({ signer_kid }) => signer_kid)).toEqual(['after-the-loss']);
    expect(await admin().post('/kernel/keys/rotate', { purpose: 'audit' })).toMatchObject({
      status: 503,
      json: { error: 'signing_unavailable' },
    });
    expect((await exported()).map((lines) => lines.length)).toEqual(last);

    const since = { ts: new Date().toISOString() };
    const body = { since, reason: 'the token is broken; nobody else has the key' };
    expect(await admin().post(`/kernel/keys/${FIFTH}/compromise`, body)).toMatchObject({
      status: 200,
      json: { emergencyKid: 'after-the-loss', reattested: [], mode: 'normal' },
    });
    await until('the kernel writes', async () => (await write()).status === 201);
    const after = await exported();
    expect(after.every((lines, shard) => lines.length >= (last[shard] ?? 0))).toBe(true);
    const taken = after.flat().map((line) => JSON.parse(line) as AuditEvent);
    const emergency = taken.filter(({ type }) => type === 'signer.emergency').at(-1);
    expect(emergency).toMatchObject({ signerKid: 'after-the-loss', payload: { from: FIFTH } });
    // No signature of the lost key is in doubt, and signers.json vouches for the new one.
    const { code, stdout } = await verified(after, await trustRoot());
    expect([code, stdout]).toEqual([0, expect.not.stringContaining(`by the compromised key ${FIFTH}`)]);
  });
}
