import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { isSecretSetting, Redactor, REMOVED, secretsOfSetting, shownSettings } from './redact';

describe('the redactor', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const token = `eyJhbGciOiJFZERTQSJ9.${randomBytes(20).toString('base64url')}.${randomBytes(30).toString('base64url')}`;

  it('takes out known values in every form in which they may be written', () => {
    const secret = 'pa"ss/wörd+42';
    const redactor = new Redactor([secret]);
    const written = [
      `plain ${secret} end`,
      JSON.stringify({ it: secret }),
      `postgres://u:${encodeURIComponent(secret)}@h/db`,
      Buffer.from(secret).toString('base64'),
    ];
    for (const text of written) {
      const left = redactor.redact(text);
      expect(left).toContain(REMOVED);
      expect(redactor.finds(left)).toBe(false);
      expect(redactor.finds(text)).toBe(true);
    }
  });

  it.each([
    ['a private key', pem, 'PRIVATE KEY'],
    ['a private key in JSON', JSON.stringify({ pem }), 'PRIVATE KEY'],
    ['a private key that was cut', pem.slice(0, -40), 'PRIVATE KEY'],
    ['a password in an address', 'at postgres://kernel:hunter22@db:5432/kernel failed', 'hunter22'],
    ['a JSON Web Token', `got ${token} back`, token.slice(25)],
    ['a token of a vault', `token hvs.${'CAESIJ4x'.repeat(4)}`, 'CAESIJ4x'],
    ['a secret of a webhook', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'MfKQ9r8G'],
    ['a header', 'authorization: Bearer abcdef', 'abcdef'],
    ['a header in JSON', '{"x-vault-token":"root-of-all"}', 'root-of-all'],
    ['a member that says so', '{"password":"hunter22","n":1}', 'hunter22'],
    ['a variable that says so', 'S3_SECRET=hunter22 and so on', 'hunter22'],
  ])('takes out %s that nobody told it of', (_, text, part) => {
    expect(text).toContain(part);
    const left = new Redactor([]).redact(text);
    expect(left).not.toContain(part);
    expect(left).toContain(REMOVED);
  });

  it('leaves what helps', () => {
    const text =
      '{"level":"error","time":"2026-12-01T12:00:00.000Z","msg":"not ready","kid":"kernel-audit-ed25519-v1","url":"http://127.0.0.1:9000/ready"}';
    expect(new Redactor(['short']).redact(text)).toBe(text);
  });
});

describe('settings', () => {
  it('are secret when any process declares them so', () => {
    const page = readFileSync(join(workTree(), 'docs', 'configuration.md'), 'utf8');
    const declared = page
      .split(/^### /m)
      .filter((section) => section.includes('\n- Secret: never printed'))
      .map((section) => section.slice(0, section.indexOf('\n')));
    expect(declared.length).toBeGreaterThan(20);
    expect(declared.filter((name) => !isSecretSetting(name))).toEqual([]);
  });

  it('are shown by name, with the path of a file but not with a secret', () => {
    const variables = {
      KERNEL_ORIGIN: 'a.b',
      DATABASE_URL: 'postgres://u:hunter22@h/d',
      DATABASE_URL_FILE: '/run/secrets/db',
    };
    expect(shownSettings(variables)).toEqual({
      DATABASE_URL: REMOVED,
      DATABASE_URL_FILE: '/run/secrets/db',
      KERNEL_ORIGIN: 'a.b',
    });
    expect(secretsOfSetting('DATABASE_URL', variables.DATABASE_URL)).toEqual(
      expect.arrayContaining(['hunter22', variables.DATABASE_URL]),
    );
  });
});
