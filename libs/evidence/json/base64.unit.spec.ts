import { randomBytes } from 'node:crypto';
import { base64Decode, base64Encode } from './base64';

describe('base64', () => {
  it('is what RFC 4648 section 10 says', () => {
    const vectors = {
      '': '',
      f: 'Zg==',
      fo: 'Zm8=',
      foo: 'Zm9v',
      foob: 'Zm9vYg==',
      fooba: 'Zm9vYmE=',
      foobar: 'Zm9vYmFy',
    };
    for (const [text, encoded] of Object.entries(vectors)) {
      expect(base64Encode(Buffer.from(text))).toBe(encoded);
      expect(base64Decode(encoded)).toEqual(new Uint8Array(Buffer.from(text)));
    }
  });

  it('is what Node makes of bytes of any length, and comes back', () => {
    const lengths = [...Array(200).keys(), 3_071, 3_072, 3_073, 10_000];
    for (const length of lengths) {
      const bytes = new Uint8Array(randomBytes(length));
      const text = base64Encode(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('base64'));
      expect(base64Decode(text)).toEqual(bytes);
    }
    const all = Uint8Array.from({ length: 256 }, (_, n) => n);
    expect(base64Encode(all)).toBe(Buffer.from(all).toString('base64'));
  });

  it.each(['Zg', 'Zg=', 'Zh==', 'Zm9=', 'Zm9v=', 'Z===', '====', 'Zm 9v', 'Zm9v\n', '-_-_', 'Zm9\u0176'])(
    'refuses %j',
    (text) => {
      expect(base64Decode(text)).toBeNull();
    },
  );
});
