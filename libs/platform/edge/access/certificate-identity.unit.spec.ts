import 'reflect-metadata';
import { Extension, KeyUsageFlags, Name, SubjectAlternativeNameExtension } from '@peculiar/x509';
import { TestCa, type TestCertificateRequest } from '#dev/testing';
import { type AccessError } from './access-error';
import { certificateIdentity } from './certificate-identity';
import { principalOf } from './principal-of';
import { RoleBindings } from './role-bindings';

let ca: TestCa;
beforeAll(async () => {
  ca = await TestCa.create();
});

/** Passes the name unchanged: the generator treats quotes and a leading # in a plain string as notation. */
const cn = (...names: string[]): TestCertificateRequest['subject'] => [
  { CN: names.map((utf8String) => ({ utf8String })) },
];

async function identityOf(request: TestCertificateRequest): Promise<object> {
  const { commonName, spiffeId } = certificateIdentity((await ca.issue(request)).der);
  return { ...(commonName !== undefined && { commonName }), ...(spiffeId !== undefined && { spiffeId }) };
}
async function refusalOf(request: TestCertificateRequest): Promise<string> {
  const { der } = await ca.issue(request);
  try {
    certificateIdentity(der);
  } catch (error) {
    expect((error as AccessError).code).toBe('ambiguous_certificate');
    return (error as AccessError).message;
  }
  throw new Error('expected a refusal');
}
const uri = (...values: string[]): TestCertificateRequest => ({
  subject: [{ CN: ['bot'] }],
  names: values.map((value) => ({ type: 'url', value })),
});

describe('certificateIdentity', () => {
  it('reads the one common name exactly', async () => {
    expect(await identityOf({ subject: [{ O: ['Acme'] }, { CN: ['release-bot.prod'] }] })).toEqual({
      commonName: 'release-bot.prod',
    });
    expect(await identityOf({ subject: [{ CN: ['Release Bot, EU'] }] })).toEqual({
      commonName: 'Release Bot, EU',
    });
  });

  it.each([
    'bot\nCN=admin',
    'bot/CN=admin',
    'bot, CN=admin',
    'bot+CN=admin',
    'admin\u0000.evil.example',
    '"admin"',
    '#0c0561646d696e',
    '\u0430dmin',
  ])('does not take %j for anybody else', async (name) => {
    const { der } = await ca.issue({ subject: cn(name) });
    let known: unknown;
    try {
      known = certificateIdentity(der).commonName;
    } catch (error) {
      known = (error as AccessError).code;
    }
    expect([name, 'ambiguous_certificate']).toContain(known);
  });

  it('refuses two common names, in one relative name or in two', async () => {
    expect(await refusalOf({ subject: [{ CN: ['bot'] }, { CN: ['admin'] }] })).toContain('2 common names');
    expect(await refusalOf({ subject: cn('bot', 'admin') })).toContain('2 common names');
  });

  it.each(['', ' bot', 'bot ', 'x'.repeat(65), 'b\u00f6t', 'bot\u200b', 'bot\n'])(
    'refuses the common name %j',
    async (name) => {
      expect(await refusalOf({ subject: cn(name) })).toContain('common name');
    },
  );

  it.each(['https://idp.example.com#approver-1', 'http://127.0.0.1:8447#superadmin', 'HTTPS://idp#x'])(
    'refuses the common name %s, which poses as a person',
    async (name) => {
      expect(await refusalOf({ subject: cn(name) })).toContain('poses as a person');
    },
  );

  it('refuses a common name that poses as a SPIFFE ID', async () => {
    expect(await refusalOf({ subject: [{ CN: ['spiffe://prod/admin'] }] })).toContain('poses');
    expect(await refusalOf({ subject: [{ CN: ['SPIFFE://prod/admin'] }] })).toContain('poses');
  });

  it('reads a SPIFFE ID beside other kinds of names', async () => {
    const names = [
      { type: 'dns' as const, value: 'spiffe://prod/admin' },
      { type: 'url' as const, value: 'spiffe://prod.example/ns/ci/sa/bot' },
    ];
    expect(await identityOf({ subject: [{ O: ['Acme'] }], names })).toEqual({
      spiffeId: 'spiffe://prod.example/ns/ci/sa/bot',
    });
  });

  it.each([
    ['no key usage', null, 'no key usage digitalSignature'],
    ['keyEncipherment alone', KeyUsageFlags.keyEncipherment, 'no key usage digitalSignature'],
    ['keyCertSign', KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign, 'of an authority'],
    ['cRLSign', KeyUsageFlags.digitalSignature | KeyUsageFlags.cRLSign, 'of an authority'],
  ])('refuses a SPIFFE ID in a certificate with %s', async (_, keyUsage, why) => {
    expect(await refusalOf({ ...uri('spiffe://prod/bot'), keyUsage })).toContain(why);
    // Without a SPIFFE ID it is no X.509-SVID.
    expect(await identityOf({ subject: cn('bot'), keyUsage })).toEqual({ commonName: 'bot' });
  });

  it('takes the key usages that an X.509-SVID may have beside digitalSignature', async () => {
    const keyUsage =
      KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment | KeyUsageFlags.keyAgreement;
    expect(await identityOf({ ...uri('spiffe://prod/bot'), keyUsage })).toMatchObject({
      spiffeId: 'spiffe://prod/bot',
    });
  });

  it('does not find a SPIFFE ID in a DNS name, an e-mail address or another URI', async () => {
    const names = [
      { type: 'dns' as const, value: 'x, URI:spiffe://prod/admin' },
      { type: 'email' as const, value: 'spiffe://prod/admin' },
      { type: 'url' as const, value: 'https://x/spiffe://prod/admin' },
    ];
    expect(await identityOf({ subject: [{ CN: ['bot'] }], names })).toEqual({ commonName: 'bot' });
  });

  it.each([
    ['two SPIFFE IDs', ['spiffe://prod/bot', 'spiffe://prod/admin']],
    ['the same twice', ['spiffe://prod/bot', 'spiffe://prod/bot']],
    ['one beside another URI', ['spiffe://prod/bot', 'https://prod/bot']],
    ['an upper-case scheme', ['SPIFFE://prod/bot']],
    ['an upper-case trust domain', ['spiffe://Prod/bot']],
    ['no path', ['spiffe://prod']],
    ['a trailing slash', ['spiffe://prod/bot/']],
    ['an empty segment', ['spiffe://prod//bot']],
    ['dot segments', ['spiffe://prod/bot/../admin']],
    ['a query', ['spiffe://prod/bot?x']],
    ['a fragment', ['spiffe://prod/bot#x']],
    ['a port', ['spiffe://prod:443/bot']],
    ['a user', ['spiffe://x@prod/bot']],
    ['percent-encoding', ['spiffe://prod/b%6ft']],
    ['a line break', ['spiffe://prod/bot\n']],
    ['a blank in front', [' spiffe://prod/bot']],
    ['a NUL', ['spiffe://prod/bot\u0000']],
    ['more than 2,048 bytes', [`spiffe://prod/${'x'.repeat(2048)}`]],
  ])('refuses %s', async (_, values) => {
    expect(await refusalOf(uri(...values))).toMatch(/SPIFFE ID|URI names/);
  });

  it('refuses a second subject alternative name extension', async () => {
    const second = new SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://prod/admin' }]);
    const request = { ...uri('spiffe://prod/bot'), extensions: [second] };
    expect(await refusalOf(request)).toContain('two subject alternative name');
  });

  it('refuses an alternative-name extension that it cannot read', async () => {
    const broken = new Extension('2.5.29.17', false, new Uint8Array([0x30, 0x7f, 0x01]));
    const { der } = await ca.issue({ subject: [{ CN: ['bot'] }], extensions: [broken] });
    expect(() => certificateIdentity(der)).toThrow(/does not name one caller/);
  });

  it('refuses the certificate of a CA, and one that names nobody', async () => {
    expect(await refusalOf({ subject: [{ CN: ['bot'] }], ca: true })).toContain('of a CA');
    expect(await refusalOf({ subject: [{ O: ['Acme'] }] })).toContain('neither');
    expect(() => certificateIdentity(new Uint8Array([1, 2, 3]))).toThrow('cannot be parsed');
  });

  it('takes a name apart by its structure, not by its text', async () => {
    const text = new Name([{ O: ['x, CN=admin'] }, { CN: ['bot'] }]).toString();
    expect(text).toContain('CN=admin');
    expect(await identityOf({ subject: [{ O: ['x, CN=admin'] }, { CN: ['bot'] }] })).toEqual({
      commonName: 'bot',
    });
  });
});

describe('principalOf', () => {
  const bindings = new RoleBindings([
    { cn: 'bot', role: 'Operator' },
    { cn: 'lead', role: 'DivisionLead', division: 'product' },
    { spiffe: 'spiffe://prod/admin', role: 'SuperAdmin' },
  ]);
  let parsed = 0;
  const socketOf = async (request: TestCertificateRequest, authorized = true) => {
    const { der } = await ca.issue(request);
    return {
      authorized,
      getPeerX509Certificate: () => {
        parsed++;
        return { raw: Buffer.from(der) } as never;
      },
    };
  };

  it('gives bound identities their role, and others none', async () => {
    expect(principalOf(await socketOf({ subject: [{ CN: ['lead'] }] }), bindings)).toEqual({
      id: 'lead',
      kind: 'service',
      roles: ['DivisionLead'],
      division: 'product',
      commonName: 'lead',
    });
    const stranger = principalOf(await socketOf({ subject: [{ CN: ['Bot'] }] }), bindings);
    expect([stranger.id, stranger.roles]).toEqual(['Bot', []]);
  });

  it('knows a certificate with a SPIFFE ID by that alone', async () => {
    const admin = principalOf(
      await socketOf({ ...uri('spiffe://prod/admin'), subject: [{ CN: ['x'] }] }),
      bindings,
    );
    expect([admin.id, admin.roles]).toEqual(['spiffe://prod/admin', ['SuperAdmin']]);
    const other = principalOf(await socketOf(uri('spiffe://prod/other')), bindings);
    expect([other.commonName, other.roles]).toEqual(['bot', []]);
  });

  it('believes only verified certificates', async () => {
    const unverified = await socketOf({ subject: [{ CN: ['bot'] }] }, false);
    expect(() => principalOf(unverified, bindings)).toThrow('no verified client certificate');
    const plain = {} as never;
    expect(() => principalOf(plain, bindings)).toThrow('no verified client certificate');
  });

  it('parses a certificate once per connection and set of bindings', async () => {
    const socket = await socketOf({ subject: [{ CN: ['bot'] }] });
    parsed = 0;
    const first = principalOf(socket, bindings);
    expect(principalOf(socket, bindings)).toBe(first);
    expect(parsed).toBe(1);
    expect(principalOf(socket, new RoleBindings([])).roles).toEqual([]);
  });

  it('refuses a certificate that expires while its connection is open', async () => {
    const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + 60_000);
    const socket = await socketOf({ subject: [{ CN: ['bot'] }], notAfter });
    expect(principalOf(socket, bindings, notAfter.getTime()).id).toBe('bot');
    expect(() => principalOf(socket, bindings, notAfter.getTime() + 1)).toThrow('has expired');
  });
});
