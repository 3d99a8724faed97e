import { archiveKey } from '#evidence';
import { EvidenceChain, TestSigner } from '#dev/testing';
import { type Archive } from '#platform/archive';
import { ArchiveSource } from './archive-source';

const SHARDS = 4;
const EVENTS = 20;

/** An archive in memory, with the events of all shards by turns. @param lost position that is missing in shard 0 */
function archiveOf(lost?: number): { archive: Archive; bytes: number } {
  const signer = new TestSigner('k1', { seed: Buffer.alloc(32, 1), purposes: ['audit'] });
  const first = new EvidenceChain(signer, 'kernel.example.com/archived', 0, { shards: SHARDS }).found();
  const chains = [first, ...Array.from({ length: SHARDS - 1 }, (_, n) => first.beside(n + 1))];
  const objects = new Map<string, Uint8Array>();
  let bytes = 0;
  for (const chain of chains) {
    while (chain.events.length < EVENTS) chain.append({ stream: `thing/of-${chain.shard}` });
    chain.events.forEach((event, i) => {
      if (chain.shard === 0 && event.seq === lost) return;
      const content = chain.bytes[i] ?? new Uint8Array();
      objects.set(archiveKey(event), content);
      bytes += content.length;
    });
  }
  const archive = {
    list: async function* () {
      for (const key of [...objects.keys()].sort()) yield { key, size: 0 };
    },
    get: async (key: string) => objects.get(key) ?? null,
  } as unknown as Archive;
  return { archive, bytes };
}

async function read(archive: Archive, mostBytes: number): Promise<Map<number, number>> {
  const source = new ArchiveSource(archive, 'the archive', mostBytes);
  const behind = Array.from({ length: SHARDS }, (_, shard) => ({ shard, seq: 0, hash: '', ts: null }));
  const found = new Map<number, number>();
  for await (const { shard, records } of source.events(behind, new AbortController().signal)) {
    found.set(shard, (found.get(shard) ?? 0) + records.length);
  }
  return found;
}

describe('an archive as a source', () => {
  it('is read whole, however much of it is ready at once', async () => {
    const { archive, bytes } = archiveOf();
    const whole = new Map(Array.from({ length: SHARDS }, (_, shard) => [shard, EVENTS]));
    for (const most of [bytes, bytes / 2, bytes / 20]) expect(await read(archive, most)).toEqual(whole);
  });

  it('is refused when an event is missing for which too much waits', async () => {
    const { archive, bytes } = archiveOf(3);
    await expect(read(archive, bytes / 20)).rejects.toMatchObject({ kind: 'gap', shard: 0, seq: 3 });
    await expect(read(archive, bytes)).rejects.toMatchObject({ kind: 'gap', shard: 0, seq: 3 });
  });
});
