import { generateKeyPairSync, sign } from 'node:crypto';
import {
  checkpointSigningInput,
  leafHash,
  type LogCheckpoint,
  parseLogProof,
  rootOf,
  signedCheckpoint,
  isConsistent,
} from '#evidence';
import { type EventStore } from '#platform/event-store';
import { SignerError } from '#platform/signer';
import { type CheckpointSigner, type GovernanceOptions } from '../governance.ports';
import { LogProofs } from './log-proofs';

const leafAt = (seq: number) => leafHash(Buffer.from(`event ${seq}`));

describe('proofs of inclusion', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const log = { head: 300, signed: [] as LogCheckpoint[], away: false, overtaken: 0 };
  const store = {
    heads: async () => Promise.resolve([{ shard: 0, seq: log.head, hash: '', ts: null }]),
    leafHashes: async (_: number, { afterSeq, limit }: { afterSeq: number; limit: number }) =>
      Promise.resolve(Array.from({ length: limit }, (_, i) => leafAt(afterSeq + i + 1))),
  } as unknown as EventStore;
  const signer: CheckpointSigner = {
    last: async () => {
      if (log.away) throw new Error('the signing backend is away');
      return Promise.resolve(log.signed.at(-1) ?? null);
    },
    sign: async (checkpoint, consistency) => {
      if (log.overtaken-- > 0) {
        throw new SignerError('signing_refused', 'overtaken', { error: 'checkpoint_conflict' });
      }
      const before = log.signed.at(-1);
      expect(consistency?.from).toBe(before?.size);
      const continues = before === undefined || isConsistent(before, checkpoint, consistency?.hashes ?? []);
      expect(continues).toBe(true);
      log.signed.push(checkpoint);
      const signature = sign(null, checkpointSigningInput(checkpoint), privateKey);
      return Promise.resolve(signedCheckpoint(checkpoint, pem, signature));
    },
  };
  const proofs = new LogProofs(store, signer, { origin: 'kernel.example.com/x' } as GovernanceOptions);

  it('lead from each event to one signed root', async () => {
    const found = await proofs.of(0, [1, 257, 300]);
    expect(found?.size).toBe(300);
    const read = (found?.proofs ?? []).map((text) => parseLogProof(text));
    expect(read.map(({ index }) => index)).toEqual([0, 256, 299]);
    for (const { index, path, checkpoint } of read) {
      const root = rootOf({ index, size: 300, leaf: leafAt(index + 1), path });
      expect(root).toEqual(sha256Of(checkpoint.root));
      expect(checkpoint).toMatchObject({ origin: 'kernel.example.com/x', shard: 0, size: 300 });
    }
  });

  it('cost a signature only when they need later events', async () => {
    log.head = 400;
    expect((await proofs.of(0, [300]))?.size).toBe(300);
    expect(log.signed).toHaveLength(1);
    expect((await proofs.of(0, [301]))?.size).toBe(400);
    expect(log.signed.map(({ size }) => size)).toEqual([300, 400]);
  });

  it('ask again when another kernel had a checkpoint signed meanwhile, a few times', async () => {
    log.head = 450;
    log.overtaken = 2;
    expect((await proofs.of(0, [450]))?.size).toBe(450);
    log.head = 460;
    log.overtaken = 100;
    expect(await proofs.of(0, [460])).toBeNull();
    log.overtaken = 0;
    expect((await proofs.of(0, [460]))?.size).toBe(460);
  });

  it('are not there when nobody can sign, and are when that is over', async () => {
    log.away = true;
    log.head = 500;
    expect(await proofs.of(0, [490])).toBeNull();
    expect((await proofs.of(0, [460]))?.size).toBe(460);
    log.away = false;
    expect((await proofs.of(0, [490]))?.size).toBe(500);
  });
});

/** The same bytes in the kind of array that hashing returns. */
function sha256Of(root: Uint8Array): Buffer {
  return Buffer.from(root);
}
