import { randomBytes } from 'node:crypto';
import { RowKey } from '#platform/event-store';
import { sign } from 'cookie-signature';
import { SessionCookie } from './session-cookie';
import { SessionSeal } from './session-seal';

describe('SessionSeal', () => {
  const [key, other, row] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const sealed = new SessionSeal([key]).seal('a secret', row);

  it('opens what one of the keys sealed for this row', () => {
    expect(new SessionSeal([other, key]).open(sealed, row)).toBe('a secret');
    expect(sealed.includes('a secret')).toBe(false);
    expect(new SessionSeal([key]).seal('a secret', row)).not.toEqual(sealed);
  });

  it.each([
    ['another key', new SessionSeal([other]), sealed, row],
    ['another row', new SessionSeal([key]), sealed, randomBytes(32)],
    ['a part', new SessionSeal([key]), sealed.subarray(0, 20), row],
    ['nothing', new SessionSeal([key]), Buffer.alloc(0), row],
  ])('does not open with %s', (_, seal, text, bound) => {
    expect(seal.open(text, bound)).toBeNull();
  });

  it('does not open with any bit changed', () => {
    for (let byte = 0; byte < sealed.length; byte++) {
      const changed = Buffer.from(sealed);
      changed[byte] = (changed[byte] as number) ^ 1;
      expect(new SessionSeal([key]).open(changed, row)).toBeNull();
    }
  });
});

describe('SessionCookie', () => {
  const key = RowKey.random('kernel.example.com/test');
  const cookie = new SessionCookie(true, key.secretsFor('session cookie'));
  const signed = (token: string, secret = cookie.texts[0] ?? '') => `s:${sign(token, secret)}`;

  it('has the prefix __Host- over TLS alone', () => {
    expect(cookie.name).toBe('__Host-kernel-session');
    expect(new SessionCookie(false, cookie.secrets).name).toBe('kernel-session');
  });

  it('takes the token of a value that this kernel signed', () => {
    const header = `other=1; ${cookie.name}=${encodeURIComponent(signed('token-1'))}`;
    expect(cookie.tokenOf(header)).toBe('token-1');
  });

  it.each([
    ['no cookie', undefined],
    ['another cookie', 'other=1'],
    ['the name without its prefix', `kernel-session=${encodeURIComponent('s:x')}`],
    ['an unsigned token', '__Host-kernel-session=token-1'],
    [
      'a signature of another secret',
      `__Host-kernel-session=${encodeURIComponent(`s:${sign('token-1', 'x')}`)}`,
    ],
    ['no signature', '__Host-kernel-session=s%3Atoken-1'],
    ['an empty signature', '__Host-kernel-session=s%3Atoken-1.'],
    ['nothing', '__Host-kernel-session='],
    ['broken escapes', '__Host-kernel-session=%E0%A4%A'],
  ])('takes none of %s', (_, header) => {
    expect(cookie.tokenOf(header)).toBeNull();
  });
});
