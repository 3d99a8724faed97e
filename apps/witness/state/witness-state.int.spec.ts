import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkpointSigningInput,
  parseCheckpointNote,
  pemOfRawKey,
  signedCheckpoint,
  signedNote,
} from '#evidence';
import { createWitness } from '../create-witness';
import { loadWitnessKey, type WitnessKey } from '../key/witness-key';
import { type Cosigned, WitnessState } from './witness-state';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');

function cosigned(key: WitnessKey, size: number, shard = 0, signer: KeyObject = privateKey): Cosigned {
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
  const head = { origin: 'kernel.example.com/state', shard, size, root: Buffer.alloc(32, size) };
  const note = signedCheckpoint(head, pemOfRawKey(raw), sign(null, checkpointSigningInput(head), signer));
  const { head: read, ...signed } = parseCheckpointNote(note);
  const signatures = [...signed.signatures, key.cosign(signed.text, 1_700_000_000)];
  return { head: read, note: signedNote({ text: signed.text, signatures }) };
}

describe('the state of a witness', () => {
  let dir: string;
  let path: string;
  let key: WitnessKey;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kernel-witness-state-'));
    path = join(dir, 'state');
    await createWitness(dir, 'witness.example.com');
    key = await loadWitnessKey(join(dir, 'witness.key'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const keep = async (...all: Cosigned[]) => {
    const state = await WitnessState.open(path, key);
    await Promise.all(all.map((one) => state.put(one.head.log, one)));
    await state.close();
  };
  const refusal = async () => {
    await expect(WitnessState.open(path, key)).rejects.toMatchObject({ code: 'state_refused' });
    return WitnessState.open(path, key).catch((error: Error) => error.message);
  };

  it('leaves no half of itself where it could not be made', async () => {
    const elsewhere = join(dir, 'elsewhere');
    // In the way of the first write.
    await mkdir(join(elsewhere, 'state.new'), { recursive: true });
    await expect(createWitness(elsewhere, 'witness.example.com')).rejects.toMatchObject({
      code: 'state_refused',
    });
    await rm(join(elsewhere, 'state.new'), { recursive: true });
    expect(await createWitness(elsewhere, 'witness.example.com')).toContain('witness.example.com+');
  });

  it('has the last checkpoint of each log when it is opened again, and leaves no other files', async () => {
    const [zero, one] = [cosigned(key, 3, 0), cosigned(key, 9, 1)];
    await keep(zero, cosigned(key, 7, 1), one);
    const state = await WitnessState.open(path, key);
    expect(state.of(zero.head.log)?.note).toBe(zero.note);
    expect(state.of(one.head.log)?.head.size).toBe(9);
    expect(state.of('kernel.example.com/state/log/2')).toBeUndefined();
    await state.close();
    expect((await readdir(dir)).sort()).toEqual(['logs', 'state', 'state.lock', 'witness.key']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('is locked against everyone else as long as it is open', async () => {
    const state = await WitnessState.open(path, key);
    await expect(WitnessState.open(path, key)).rejects.toMatchObject({ code: 'in_use' });
    await state.close();
    await (await WitnessState.open(path, key)).close();
  });

  it('is refused when it is missing, empty, cut off, changed or of another witness', async () => {
    await keep(cosigned(key, 3));
    const text = await readFile(path, 'utf8');
    await rm(path);
    expect(await refusal()).toContain('is missing');
    await writeFile(path, '');
    expect(await refusal()).toContain('is empty');
    for (const length of [1, text.length - 20, text.length - 2]) {
      await writeFile(path, text);
      await truncate(path, length);
      expect(await refusal()).toContain('cut off or changed');
    }
    await writeFile(path, text.replace('\\n3\\n', '\\n2\\n'));
    expect(await refusal()).toContain('was changed');
    await writeFile(path, text.replace(/"kernel[^}]*/, ''));
    expect(await refusal()).toContain('was changed');
    await writeFile(path, '{"format":"another"}');
    expect(await refusal()).toContain('is not in the format');
    await rm(join(dir, 'other'), { recursive: true, force: true });
    await createWitness(join(dir, 'other'), 'witness.example.com');
    await copyFile(join(dir, 'other', 'state'), path);
    expect(await refusal()).toContain('of another witness');
    await writeFile(path, text);
    await (await WitnessState.open(path, key)).close();
  });

  it('keeps nothing that could not be written', async () => {
    const state = await WitnessState.open(path, key);
    const first = cosigned(key, 3);
    await state.put(first.head.log, first);
    // A folder where the new file would be written: no write succeeds, for root either.
    await createWitness(`${path}.new`, 'in-the-way.example.com');
    await expect(state.put(first.head.log, cosigned(key, 4))).rejects.toThrow('EISDIR');
    expect(state.of(first.head.log)).toBe(first);
    await rm(`${path}.new`, { recursive: true });
    await state.put(first.head.log, cosigned(key, 5));
    await state.close();
    expect((await readFile(path, 'utf8')).includes('\\n5\\n')).toBe(true);
  });

  it('is made once, with a key that is for its owner alone', async () => {
    await expect(createWitness(dir, 'again.example.com')).rejects.toMatchObject({ code: 'key_refused' });
    await expect(createWitness(join(dir, 'x'), 'a name')).rejects.toMatchObject({ code: 'key_refused' });
    const file = join(dir, 'witness.key');
    await chmod(file, 0o640);
    await expect(loadWitnessKey(file)).rejects.toThrow('others than its owner');
    await chmod(file, 0o600);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('witness.example', 'another.example'));
    await expect(loadWitnessKey(file)).rejects.toThrow('hash');
    await writeFile(file, 'nonsense');
    await expect(loadWitnessKey(file)).rejects.toThrow('no key for cosignatures');
    await rm(file);
    await expect(loadWitnessKey(file)).rejects.toThrow('init makes one');
  });
});
