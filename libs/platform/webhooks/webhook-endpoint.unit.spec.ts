import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { openEndpoints, webhookEntries, WebhookSecrets } from './webhook-endpoint';

/** Secret of the Standard Webhooks reference implementations' own tests. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const [ID, AT, BODY] = ['msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}'];

describe('the secret of an endpoint', () => {
  it('signs as Standard Webhooks says', () => {
    expect(WebhookSecrets.parse(SECRET).sign(ID, AT, BODY)).toBe(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    );
  });

  it('signs with both while one is replaced', () => {
    const both = WebhookSecrets.parse(`${OTHER}\n${SECRET}\n`).sign(ID, AT, BODY).split(' ');
    expect(both).toEqual([
      WebhookSecrets.parse(OTHER).sign(ID, AT, BODY),
      WebhookSecrets.parse(SECRET).sign(ID, AT, BODY),
    ]);
  });

  it.each([
    ['nothing', ''],
    ['no prefix', SECRET.slice(6)],
    ['too short', `whsec_${Buffer.alloc(23).toString('base64')}`],
    ['too long', `whsec_${Buffer.alloc(65).toString('base64')}`],
    ['base64 that is none', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS'],
    ['three of them', [SECRET, OTHER, SECRET].join('\n')],
  ])('is refused when it is %s', (_, text) => {
    expect(() => WebhookSecrets.parse(text)).toThrow(expect.objectContaining({ code: 'bad_secret' }));
  });

  it('is shown by nothing', () => {
    const secrets = WebhookSecrets.parse(SECRET);
    expect(inspect(secrets, { depth: 9, showHidden: true })).not.toMatch(/MfKQ|31 f2 90/);
    expect(JSON.stringify({ secrets })).toBe('{"secrets":{}}');
    const complaint = (() => {
      try {
        WebhookSecrets.parse('whsec_hunter2');
        return '';
      } catch (error) {
        return String(error);
      }
    })();
    expect(complaint).toContain('WebhookError');
    expect(complaint).not.toContain('hunter2');
  });
});

describe('endpoints', () => {
  let folder: string;
  let secretFile: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'webhook-endpoints-'));
    secretFile = join(folder, 'secret');
    writeFileSync(secretFile, `${SECRET}\n`);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const open = (entry: object, development = false) =>
    openEndpoints(
      webhookEntries.parse([{ name: 'a', url: 'https://hooks.example.com/x', secretFile, ...entry }]),
      {
        known: ['upgrade.proposed'],
        development,
      },
    );

  it('are opened with their secrets', () => {
    expect(open({})).toMatchObject([{ name: 'a', ca: null, types: null }]);
    expect(open({ types: ['upgrade.proposed'] })[0]?.types).toEqual(new Set(['upgrade.proposed']));
  });

  it('sign with what their file has since, and on with what it had when that is no secret', () => {
    const file = join(folder, 'changed');
    writeFileSync(file, `${SECRET}\n`);
    const [endpoint] = open({ secretFile: file });
    const signed = () => endpoint?.secrets.sign(ID, AT, BODY);
    const signedBy = (secret: string) => WebhookSecrets.parse(secret).sign(ID, AT, BODY);
    for (const [content, expected] of [
      [`${OTHER}\n${SECRET}\n`, signedBy(`${OTHER}\n${SECRET}`)],
      [`${OTHER}\n`, signedBy(OTHER)],
      ['whsec_hunter2', signedBy(OTHER)],
      ['', signedBy(OTHER)],
    ] as const) {
      writeFileSync(file, content);
      endpoint?.secretFile?.look();
      expect(signed()).toBe(expected);
    }
    expect(endpoint?.secretFile?.problem).toContain('is empty');
    expect(inspect(endpoint, { depth: 9, showHidden: true })).not.toContain(OTHER);
  });

  it.each<[string, object, boolean, string]>([
    ['plain http', { url: 'http://127.0.0.1/x' }, false, 'must be https'],
    ['plain http elsewhere', { url: 'http://hooks.example.com/x' }, true, 'must be https'],
    ['another scheme', { url: 'file:///etc/passwd' }, true, 'must be https'],
    ['a password', { url: 'https://u:p@hooks.example.com/' }, false, 'no credentials'],
    [
      'an unknown notification',
      { types: ['upgrade.prposed'] },
      false,
      'there is no notification "upgrade.prposed"',
    ],
    ['no secret file', { secretFile: '/nowhere/secret' }, false, 'cannot be read (ENOENT)'],
    ['no authorities', { caFile: '/nowhere/ca' }, false, 'cannot be read (ENOENT)'],
  ])('are refused with %s', (_, entry, development, why) => {
    expect(() => open(entry, development)).toThrow(
      expect.objectContaining({ code: 'bad_endpoint', message: expect.stringContaining(why) }),
    );
  });

  it('may be on this machine in development', () => {
    expect(open({ url: 'http://localhost:8080/x' }, true)).toHaveLength(1);
  });

  it.each([
    ['two of one name', [{ name: 'a' }, { name: 'a' }]],
    ['too many', Array.from({ length: 17 }, (_, n) => ({ name: `a${n}` }))],
    ['a member that is not known', [{ name: 'a', secret: 'x' }]],
    ['a name for no label', [{ name: 'A B' }]],
  ])('are no configuration: %s', (_, entries) => {
    const whole = entries.map((entry) => ({ url: 'https://x.example.com', secretFile: 's', ...entry }));
    expect(webhookEntries.safeParse(whole).success).toBe(false);
  });
});
