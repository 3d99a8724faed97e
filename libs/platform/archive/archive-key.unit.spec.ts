import fc from 'fast-check';
import { sha256Hex } from '#evidence';
import { archivedEvent, assertArchivable, assertArchiveKey } from './archive-key';
import { MAX_OBJECT_BYTES } from './archive';

describe('keys of the archive', () => {
  it('hold the day and the id of the event', () => {
    const id = '0192f3c4-5678-7abc-8def-0123456789ab';
    expect(archivedEvent({ id, ts: '2026-01-02T23:59:59.999Z' }, Buffer.from('{}'))).toEqual({
      key: `audit/2026/01/02/${id}.json`,
      bytes: Buffer.from('{}'),
      sha256: sha256Hex('{}'),
    });
  });

  it('cannot be led astray by what an event says', () => {
    expect(() =>
      archivedEvent({ id: '../../../x', ts: '2026-01-02T00:00:00.000Z' }, Buffer.from('')),
    ).toThrow(expect.objectContaining({ code: 'invalid_key' }));
  });

  it('never leave the folder that they are put below', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', '', 'a', '.b', 'c.json', '/', '\\', '\0')), (parts) => {
        const key = parts.join('/');
        try {
          assertArchiveKey(key);
        } catch {
          return true;
        }
        const resolved = new URL(key, 'file:///root/').pathname;
        return resolved === `/root/${key}`;
      }),
    );
  });

  it('are not the only thing that is looked at before storing', () => {
    const bytes = Buffer.from('1');
    expect(() => assertArchivable({ key: 'a', bytes, sha256: sha256Hex(bytes) })).not.toThrow();
    for (const sha256 of [sha256Hex('2'), sha256Hex(bytes).toUpperCase(), '']) {
      expect(() => assertArchivable({ key: 'a', bytes, sha256 })).toThrow(
        expect.objectContaining({ code: 'digest_mismatch', details: expect.objectContaining({ key: 'a' }) }),
      );
    }
    const large = new Uint8Array(MAX_OBJECT_BYTES + 1);
    expect(() => assertArchivable({ key: 'a', bytes: large, sha256: '' })).toThrow(
      expect.objectContaining({ code: 'object_too_large' }),
    );
  });
});
