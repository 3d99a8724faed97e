import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { cosignatureInput, parseTimestampedSignature, timestampedSignature } from './cosignature';
import { isSameKeyPair, type NoteKey, noteKeyHash, noteKeyText, parseNoteKey, signatureBy } from './note-key';
import { parseSignatureLines, parseSignedNote, signatureLine, signedNote } from './signed-note';

const VKEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const TEXT = `kernel.example.com/log/0\n1\n${Buffer.alloc(32, 7).toString('base64')}\n`;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
const witness: NoteKey = { name: 'witness.example', type: 'cosignature/v1', raw };
const cosignature = (time: number, text = TEXT) => ({
  name: witness.name,
  keyHash: noteKeyHash(witness.name, raw, witness.type),
  signature: timestampedSignature({ time, signature: sign(null, cosignatureInput(time, text), privateKey) }),
});

describe('a verifier key', () => {
  it('is read and written as Go does it', () => {
    // From the documentation of golang.org/x/mod/sumdb/note.
    const key = parseNoteKey(VKEY);
    expect(key).toMatchObject({ name: 'PeterNeumann', type: 'ed25519' });
    expect(noteKeyText(key)).toBe(VKEY);
    expect(parseNoteKey(noteKeyText(witness))).toEqual({ ...witness, raw: new Uint8Array(raw) });
    expect(isSameKeyPair(witness, { name: 'x', type: 'ed25519', raw })).toBe(true);
    expect(isSameKeyPair(witness, key)).toBe(false);
  });

  const vkeyOf = (name: string, bytes: Buffer): string => {
    const hash = createHash('sha256').update(`${name}\n`).update(bytes).digest('hex').slice(0, 8);
    return `${name}+${hash}+${bytes.toString('base64')}`;
  };
  it.each([
    ['nothing', ''],
    ['no name', VKEY.slice('PeterNeumann'.length)],
    ['another name', VKEY.replace('Peter', 'Paul')],
    ['another hash', VKEY.replace('c74f20a3', 'c74f20a4')],
    ['a hash in capitals', VKEY.replace('c74f20a3', 'C74F20A3')],
    ['another key', VKEY.replace('ARpc', 'ARpd')],
    ['base64 without padding', VKEY.replace('TW', 'T')],
    ['a space in its name', vkeyOf('a b', Buffer.concat([Buffer.of(1), raw]))],
    ['a no-break space in its name', vkeyOf('a\u00a0b', Buffer.concat([Buffer.of(1), raw]))],
    ['a control character in its name', vkeyOf('a\u0001b', Buffer.concat([Buffer.of(1), raw]))],
    ['a key of 31 bytes', vkeyOf('a', Buffer.concat([Buffer.of(1), raw.subarray(1)]))],
    ['an ECDSA key', vkeyOf('a', Buffer.concat([Buffer.of(2), raw]))],
    ['a key for ML-DSA cosignatures', vkeyOf('a', Buffer.concat([Buffer.of(6), Buffer.alloc(1312, 1)]))],
    ['too long a name', vkeyOf('a'.repeat(1_024), Buffer.concat([Buffer.of(1), raw]))],
  ])('is refused with %s', (_, vkey) => {
    expect(() => parseNoteKey(vkey)).toThrow(expect.objectContaining({ code: 'invalid_note_key' }));
  });

  it('is refused when anyone could sign for it', () => {
    const weak = Buffer.concat([Buffer.of(1), Buffer.of(1), Buffer.alloc(31)]);
    expect(() => parseNoteKey(vkeyOf('a', weak))).toThrow(
      expect.objectContaining({ code: 'weak_public_key' }),
    );
  });

  it('is not written under a name that no note can have', () => {
    for (const name of ['', 'a+b', 'a b', 'a\nb', '\ud800']) {
      expect(() => noteKeyText({ ...witness, name })).toThrow(
        expect.objectContaining({ code: 'invalid_note_key' }),
      );
    }
  });
});

describe('a cosignature', () => {
  const note = (...signatures: ReturnType<typeof cosignature>[]) =>
    parseSignedNote(signedNote({ text: TEXT, signatures }));

  it('is over a time and the whole text', () => {
    expect(Buffer.from(cosignatureInput(1_679_315_147, TEXT)).toString()).toBe(
      `cosignature/v1\ntime 1679315147\n${TEXT}`,
    );
    expect(signatureBy(witness, note(cosignature(1_700_000_000)))).toEqual({
      state: 'signed',
      time: 1_700_000_000,
    });
    expect(signatureBy(witness, note(cosignature(1_700_000_000, `${TEXT}more\n`)))).toEqual({
      state: 'wrong',
    });
  });

  it('counts with the latest time, and not at all beside one that is wrong', () => {
    expect(signatureBy(witness, note(cosignature(9), cosignature(5)))).toEqual({ state: 'signed', time: 9 });
    const wrong = {
      ...cosignature(9),
      signature: timestampedSignature({ time: 9, signature: new Uint8Array(64) }),
    };
    expect(signatureBy(witness, note(cosignature(9), wrong))).toEqual({ state: 'wrong' });
    const early = cosignature(9);
    early.signature[7] = 8;
    expect(signatureBy(witness, note(early))).toEqual({ state: 'wrong' });
  });

  it('is of its key and name alone', () => {
    const signed = note(cosignature(9));
    expect(signatureBy({ ...witness, name: 'other.example' }, signed)).toEqual({ state: 'absent' });
    expect(signatureBy({ ...witness, type: 'ed25519' }, signed)).toEqual({ state: 'absent' });
    // A signature as a log would make it, under the hash of a witness.
    const plain = {
      ...cosignature(9),
      signature: Uint8Array.from(sign(null, Buffer.from(TEXT), privateKey)),
    };
    expect(signatureBy(witness, note(plain))).toEqual({ state: 'wrong' });
  });

  it('has a time in whole seconds', () => {
    for (const time of [-1, 0.5, NaN, 2 ** 53]) {
      expect(() => cosignatureInput(time, TEXT)).toThrow(
        expect.objectContaining({ code: 'invalid_cosignature' }),
      );
    }
    expect(() => timestampedSignature({ time: 1, signature: new Uint8Array(63) })).toThrow('64 bytes');
    expect(parseTimestampedSignature(new Uint8Array(71))).toBeNull();
    expect(parseTimestampedSignature(new Uint8Array(72).fill(255))).toBeNull();
    expect(parseTimestampedSignature(cosignature(9).signature)).toMatchObject({ time: 9 });
  });
});

describe('a signed note', () => {
  const line = signatureLine(cosignature(9));
  it('keeps empty lines in its text, and its signatures in order', () => {
    const other = signatureLine({ ...cosignature(9), name: 'überwacht.example' });
    const read = parseSignedNote(`one\n\ntwo\n\n${line}${other}`);
    expect(read.text).toBe('one\n\ntwo\n');
    expect(read.signatures.map(({ name }) => name)).toEqual(['witness.example', 'überwacht.example']);
    expect(signedNote(read)).toBe(`one\n\ntwo\n\n${line}${other}`);
    expect(parseSignatureLines(line)).toHaveLength(1);
  });

  it.each([
    ['nothing', ''],
    ['no signature', 'text\n\n'],
    ['no empty line', `text\n${line}`],
    ['a carriage return', `text\r\n\n${line}`],
    ['a tab', `te\txt\n\n${line}`],
    ['half a character', `te\ud800xt\n\n${line}`],
    ['no last line feed', `text\n\n${line.trimEnd()}`],
    ['a hyphen for a dash', `text\n\n${line.replace('\u2014', '-')}`],
    ['two spaces', `text\n\n${line.replace(' ', '  ')}`],
    ['a signature of no bytes', 'text\n\n\u2014 a AAAAAA==\n'],
    ['base64 that is spelled another way', 'text\n\n\u2014 a AAAAAAB=\n'],
    ['a plus sign in a name', `text\n\n${line.replace('witness', 'wit+ness')}`],
    ['more than a million characters', `${'x'.repeat(1_000_000)}\n\n${line}`],
    ['more than a hundred signatures', `text\n\n${line.repeat(101)}`],
  ])('is refused with %s', (_, text) => {
    expect(() => parseSignedNote(text)).toThrow(expect.objectContaining({ code: 'invalid_note' }));
  });
});
