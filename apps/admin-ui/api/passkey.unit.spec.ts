import { base64Url } from '#evidence';
import { bytesOfBase64Url, readFlags } from './passkey';

it.each([
  [0x05, { userVerified: true, backupEligible: false, backedUp: false }],
  [0x0d, { userVerified: true, backupEligible: true, backedUp: false }],
  [0x1d, { userVerified: true, backupEligible: true, backedUp: true }],
  [0x01, { userVerified: false, backupEligible: false, backedUp: false }],
])('reads the flags %d of an authenticator', (flags, read) => {
  const bytes = new Uint8Array(37);
  bytes[32] = flags;
  expect(readFlags(bytes)).toEqual(read);
});

it('reads base64url of any length, and nothing else', () => {
  for (const length of [0, 1, 2, 3, 32, 64]) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 37 + 251) % 256);
    expect([...bytesOfBase64Url(base64Url(bytes))]).toEqual([...bytes]);
  }
  for (const text of ['+/', 'AA==', 'A A']) expect(() => bytesOfBase64Url(text)).toThrow('base64url');
});
