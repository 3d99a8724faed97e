import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  addCheckpointText,
  checkpointSigningInput,
  leafHash,
  logName,
  nodeHash,
  noteKeyText,
  parseCheckpointNote,
  pemOfRawKey,
  signatureLine,
  signedCheckpoint,
} from '#evidence';
import { type Logger, Registry } from '#platform/process';
import { createWitness } from '../create-witness';
import { loadWitnessKey } from '../key/witness-key';
import { WitnessState } from '../state/witness-state';
import { WitnessMetrics } from '../witness.metrics';
import { parseKnownLogs } from './known-logs';
import { Witness } from './witness';

const ORIGIN = 'kernel.example.com/cosigned';
const LOG = logName(ORIGIN, 0);
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
const [a, b, c] = ['a', 'b', 'c'].map((leaf) => leafHash(Buffer.from(leaf))) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const ONE = { size: 1, root: a };
const TWO = { size: 2, root: nodeHash(a, b) };

function checkpoint({ size, root }: typeof ONE, signer = privateKey): string {
  const head = { origin: ORIGIN, shard: 0, size, root };
  return signedCheckpoint(head, pemOfRawKey(raw), sign(null, checkpointSigningInput(head), signer));
}

describe('a witness', () => {
  let dir: string;
  let state: WitnessState;
  let witness: Witness;
  let registry: Registry;
  let said: { level: string; of: object }[];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kernel-witness-'));
    await createWitness(dir, 'witness.example.com');
    const key = await loadWitnessKey(join(dir, 'witness.key'));
    state = await WitnessState.open(join(dir, 'state'), key);
    registry = new Registry();
    said = [];
    const say = (level: string) => (of: object) => void said.push({ level, of });
    const logs = parseKnownLogs(`log ${noteKeyText({ name: LOG, type: 'ed25519', raw })}\n`);
    witness = new Witness({
      logs,
      key,
      state,
      observer: new WitnessMetrics(registry, logs.keys()),
      logger: { warn: say('warn'), error: say('error') } as unknown as Logger,
    });
  });
  afterEach(async () => {
    await state.close();
    await rm(dir, { recursive: true, force: true });
  });
  const submit = (oldSize: number, consistency: Uint8Array[], note: string) =>
    witness.addCheckpoint(addCheckpointText({ oldSize, consistency, checkpoint: note }));
  const alarm = async () =>
    /witness_log_inconsistent\{log="[^"]+"\} ([01])/.exec(await registry.metrics())?.[1];

  it('is not alarmed by a proof that anyone can make up, and is by two signed roots of one size', async () => {
    expect(await submit(0, [], checkpoint(ONE))).toMatchObject({ cosigned: true });
    expect(await submit(1, [c], checkpoint(TWO))).toMatchObject({ refusal: 'inconsistent' });
    expect(await alarm()).toBe('0');
    expect(said).toEqual([{ level: 'warn', of: { log: LOG, from: 1, size: 2 } }]);
    const other = checkpoint({ size: 1, root: b });
    expect(await submit(1, [], other)).toMatchObject({ refusal: 'split_view' });
    expect(await alarm()).toBe('1');
    // The evidence: both notes.
    expect(said[1]).toMatchObject({ level: 'error', of: { submitted: other } });
  });

  it("keeps only lines that the log's key has made", async () => {
    const signatures = parseCheckpointNote(checkpoint(ONE)).signatures;
    const forged = { name: LOG, keyHash: Buffer.alloc(4, 1), signature: Buffer.alloc(1_000, 1) };
    const note = checkpoint(ONE) + signatureLine(forged);
    expect(await submit(0, [], note)).toMatchObject({ cosigned: true });
    const kept = parseCheckpointNote(state.of(LOG)?.note ?? '').signatures;
    expect(kept.map(({ name }) => name)).toEqual([LOG, 'witness.example.com']);
    expect(Buffer.from(kept[0]?.signature ?? []).equals(Buffer.from(signatures[0]?.signature ?? []))).toBe(
      true,
    );
  });

  it('takes no checkpoint that would not fit its state, however many lines of others it may have', async () => {
    const line = signatureLine({
      name: 'witness.example.org/another',
      keyHash: Buffer.alloc(4, 1),
      signature: Buffer.alloc(72, 1),
    });
    expect(await submit(0, [], checkpoint(ONE) + line.repeat(40))).toMatchObject({ cosigned: true });
    const { text } = parseCheckpointNote(checkpoint(TWO));
    const long = `${text}${'x'.repeat(4_096)}\n`;
    const signature = { ...parseCheckpointNote(checkpoint(TWO)).signatures[0] };
    const signed = signatureLine({
      ...(signature as Parameters<typeof signatureLine>[0]),
      signature: Uint8Array.from(sign(null, Buffer.from(long), privateKey)),
    });
    expect(await submit(1, [b], `${long}\n${signed}`)).toMatchObject({
      refusal: 'malformed',
      message: 'A checkpoint has at most 4096 bytes.',
    });
    expect(state.of(LOG)?.head.size).toBe(1);
  });
});
