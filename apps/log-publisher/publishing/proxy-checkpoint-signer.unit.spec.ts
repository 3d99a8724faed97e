import { TestSigner } from '#dev/testing';
import { checkpointSigningInput, type SignerEntry } from '#evidence';
import { ProxyCheckpointSigner } from './proxy-checkpoint-signer';

const ORIGIN = 'kernel.test/signer';

describe('checkpoints signed by the proxy', () => {
  const first = new TestSigner('checkpoint-1', { purposes: ['checkpoint'] });
  const second = new TestSigner('checkpoint-2', { purposes: ['checkpoint'] });
  const tree = { shard: 0, size: 1, root: Buffer.alloc(32, 1), consistency: null };
  let registered: SignerEntry[];
  let now: number;
  let reads: number;
  let held: TestSigner[];
  let signer: ProxyCheckpointSigner;
  beforeEach(() => {
    registered = [first.entry];
    held = [first, second];
    now = reads = 0;
    const proxy = {
      lastCheckpoints: () => Promise.resolve([]),
      keys: () =>
        Promise.resolve(
          held.map(({ kid, entry }) => ({
            kid,
            purposes: entry.purposes,
            publicKeyPem: entry.public_key_pem,
          })),
        ),
      signCheckpoint: ({
        kid,
        shard,
        size,
        root,
      }: {
        kid: string;
        shard: number;
        size: number;
        root: string;
      }) => {
        const head = { origin: ORIGIN, shard, size, root: Buffer.from(root, 'base64') };
        const key = held.find((one) => one.kid === kid);
        if (key === undefined) return Promise.reject(new Error(`no ${kid}`));
        return Promise.resolve({ kid, signature: key.sign(checkpointSigningInput(head)) });
      },
    };
    signer = new ProxyCheckpointSigner(
      ORIGIN,
      proxy as unknown as ConstructorParameters<typeof ProxyCheckpointSigner>[1],
      () => {
        reads++;
        return Promise.resolve(registered);
      },
      () => now,
    );
  });

  it('use the key for ten seconds before they look whether there is a newer one', async () => {
    const one = await signer.sign(tree);
    registered = [first.entry, second.entry];
    now = 9_000;
    expect(await signer.sign(tree)).toBe(one);
    expect(reads).toBe(1);
    now = 10_000;
    expect(await signer.sign(tree)).not.toBe(one);
    expect(reads).toBe(2);
  });

  it('look again at once when the key signs no more', async () => {
    await signer.sign(tree);
    registered = [first.entry, second.entry];
    held = [second];
    await expect(signer.sign(tree)).rejects.toThrow('no checkpoint-1');
    await signer.sign(tree);
    expect(reads).toBe(2);
  });
});
