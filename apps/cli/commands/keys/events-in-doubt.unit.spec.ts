import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventsInDoubt } from './events-in-doubt';

describe('the file of events in doubt', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'events-in-doubt-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('has the very bytes of what the key has signed, and nothing that only speaks of it', async () => {
    const own = '{"payload":{"text":"\u00fc\u2028"},"signerKid":"k1"}';
    const other = '{"payload":{"signerKid":"k1"},"signerKid":"k2"}';
    const bytes = Buffer.from(`${own}\n${other}\n${own}\n`);
    const file = await EventsInDoubt.open(join(folder, 'doubt.ndjson'));
    await file.take(
      'k1',
      (async function* () {
        for (const byte of bytes) yield Buffer.of(byte);
      })(),
    );
    await file.close();
    expect(file.count).toBe(2);
    expect(readFileSync(file.path, 'utf8')).toBe(`${own}\n${own}\n`);
    expect(statSync(file.path).mode & 0o077).toBe(0);
  });

  it('is refused in one sentence where it cannot be written', async () => {
    const path = join(folder, 'none', 'doubt.ndjson');
    await expect(EventsInDoubt.open(path)).rejects.toMatchObject({
      code: 'file_problem',
      message: `Cannot write to ${path} (ENOENT).`,
    });
  });
});
