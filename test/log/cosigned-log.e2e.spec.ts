import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  includes,
  judgeByPolicy,
  logName,
  noteKeyText,
  parseLogPolicy,
  parseLogProof,
  parseNoteKey,
  parseSigners,
} from '#evidence';
import { startStack, type TestStack } from '#dev/testing';
import { type AppendAnswer, type Signers } from '#openapi/kernel';
import { until } from '../faults/until';
import { WitnessProcess } from './witness-process';

const LOGGED = { headers: { 'kernel-await': 'logged', prefer: 'wait=20' } };

describe('a log with two witnesses of its own kind', () => {
  let folder: string;
  let policyFile: string;
  let stack: TestStack;
  const witnesses: WitnessProcess[] = [];
  /** The verifier key of shard 0's log. */
  let vkey: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-cosigned-'));
    policyFile = join(folder, 'policy');
    const told = join(folder, 'policy-without-addresses');
    for (const name of ['w1.example.org/w', 'w2.example.org/w'])
      witnesses.push(await WitnessProcess.make(name));
    await writeFile(told, policy());
    stack = await startStack({
      workers: ['outbox-relay', 'log-publisher'],
      idle: ['log-publisher'],
      kernelVariables: { KERNEL_AWAIT_TIMEOUT_MS: '30000', KERNEL_LOG_POLICY_FILE: told },
      workerVariables: (app) => (app === 'log-publisher' ? { KERNEL_LOG_POLICY_FILE: policyFile } : {}),
    });
    let pem = '';
    await until('the kernel has registered its keys', async () => {
      const { text } = await stack.client('AUDITOR').get('/kernel/keys/signers.json');
      pem = parseSigners(text).find(({ purposes }) => purposes.includes('checkpoint'))?.public_key_pem ?? '';
      return pem !== '';
    });
    const raw = Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64').subarray(-32);
    vkey = noteKeyText({ name: logName(stack.origin, 0), type: 'ed25519', raw });
    for (const witness of witnesses) await witness.start([vkey]);
    await writeFile(policyFile, policy());
    await stack.worker('log-publisher').process.start();
  }, 180_000);

  afterAll(async () => {
    await stack?.stop();
    for (const witness of witnesses) await witness.remove();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  /** With the addresses of the witnesses once they run. */
  function policy(): string {
    const lines = witnesses.map(({ vkey, url }, n) => `witness w${n + 1} ${vkey} ${url}`.trimEnd());
    return [...lines, 'group both all w1 w2', 'quorum both', ''].join('\n');
  }

  async function written(): Promise<{ status: number; id: string }> {
    const event = { type: 'thing.changed', payload: {} };
    const answer = await stack.client('OPERATOR').post('/kernel/audit', event, LOGGED);
    return { status: answer.status, id: (answer.json as AppendAnswer).events[0]?.id ?? '' };
  }

  it('gives receipts that both have cosigned, and that a verifier takes with keys alone', async () => {
    const { status, id } = await written();
    expect(status).toBe(201);
    const operator = stack.client('OPERATOR');
    const receipt = parseLogProof((await operator.get(`/kernel/audit/${id}/receipt`)).text);
    expect(includes(receipt, (await operator.get(`/kernel/audit/${id}`)).bytes)).toBe(true);
    const note = (await operator.get(`/kernel/audit/${id}/receipt`)).text.split('\n\n').slice(1).join('\n\n');
    const verdict = judgeByPolicy(parseLogPolicy(`log ${vkey}\n${policy()}`), note);
    expect(verdict).toMatchObject({ log: parseNoteKey(vkey).name, refusal: null });
    expect(verdict.cosigned.map(({ name }) => name).sort()).toEqual(['w1', 'w2']);
  });

  it('tells verifiers in signers.json to ask for both', async () => {
    const { log } = (await stack.client('AUDITOR').get('/kernel/keys/signers.json')).json as Signers;
    expect(log).toEqual({ witnesses: witnesses.map((witness) => witness.vkey), quorum: 2 });
  });

  it('publishes nothing new while the quorum is missing, and everything once it is back', async () => {
    await witnesses[1]?.kill();
    const waiting = await stack
      .client('OPERATOR')
      .post(
        '/kernel/audit',
        { type: 'thing.changed', payload: {} },
        { headers: { 'kernel-await': 'logged', prefer: 'wait=4' } },
      );
    expect(waiting.status).toBe(202);
    const id = (waiting.json as AppendAnswer).events[0]?.id ?? '';
    expect((await stack.client('OPERATOR').get(`/kernel/audit/${id}/receipt`)).status).toBe(404);
    const witness = witnesses[1] as WitnessProcess;
    await witness.start([vkey], { KERNEL_LISTEN_PORT: new URL(witness.url).port });
    expect((await stack.client('OPERATOR').get(`/kernel/audit/${id}/receipt`, LOGGED)).status).toBe(200);
  });
});
