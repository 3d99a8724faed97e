import { createPrivateKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Handle, Template } from 'pkcs11js';
import {
  type Cryptoki,
  rawPublicKey,
  readPin,
  TokenProcessError,
  TokenSession,
} from './pkcs11-token.process';

const LABEL = 'test-token';
const KID = 'audit-key';
const CKA_CLASS = 0;
const CKO_DATA = 0;
const CKO_PUBLIC_KEY = 2;
const CKA_VALUE = 0x11;
/** Handle of the key that a test of the token imported. */
const IMPORTED = 7;
/** PrivateKeyInfo of an Ed25519 key up to its seed (RFC 8410 section 7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A token in memory with the rule that makes real ones troublesome: after an error a session stays busy. */
class FakeToken {
  readonly pair = generateKeyPairSync('ed25519');
  attributes: Record<number, Buffer> = {
    0x100: Buffer.from('4000000000000000', 'hex'),
    0x103: Buffer.from([1]),
    0x162: Buffer.from([0]),
    0x163: Buffer.from([1]),
    0x164: Buffer.from([1]),
    0x165: Buffer.from([1]),
    0x108: Buffer.from([1]),
    0x180: Buffer.from('06032b6570', 'hex'),
    0x181: Buffer.concat([Buffer.from([4, 32]), this.rawKey()]),
    0x11: Buffer.from('{"createdAt":"2026-01-31T10:00:00.000Z","purposes":["audit"]}'),
  };
  keysFound = 1;
  opened = 0;
  logins: string[] = [];
  failNext: string[] = [];
  loginError: string | null = null;
  /** Why it accepts no key from outside. */
  importError: string | null = null;
  imported: KeyObject | null = null;
  miscomputes = false;
  private signsWith = this.pair.privateKey;
  private readonly busy = new Set<string>();
  private found: Handle[] = [];

  rawKey(): Buffer {
    return this.pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  }

  cryptoki(): Cryptoki {
    const handle = (n: number): Handle => Buffer.from([n]);
    const fail = (name: string): never => {
      throw new Error(name);
    };
    const fake: Partial<Cryptoki> = {
      C_GetSlotList: () => [handle(1)],
      C_GetTokenInfo: (() => ({
        label: LABEL.padEnd(32),
        manufacturerID: 'Test maker'.padEnd(32),
        model: 'T1'.padEnd(16),
      })) as unknown as Cryptoki['C_GetTokenInfo'],
      C_OpenSession: () => handle(++this.opened),
      C_CloseSession: (session) => void this.busy.delete(session.toString('hex')),
      C_Login: (_session, _user, pin) => {
        this.logins.push(pin ?? '');
        if (this.loginError) fail(this.loginError);
      },
      C_FindObjectsInit: (_session, template: Template = []) => {
        const objectClass = template.find(({ type }) => type === CKA_CLASS)?.value;
        if (objectClass === CKO_DATA) this.found = this.attributes[0x11] ? [handle(9)] : [];
        else
          this.found = Array.from({ length: this.keysFound }, () =>
            handle(objectClass === CKO_PUBLIC_KEY ? 2 : 3),
          );
      },
      C_FindObjects: (() => this.found) as unknown as Cryptoki['C_FindObjects'],
      C_FindObjectsFinal: () => undefined,
      C_GetAttributeValue: (_session, _object, template) =>
        template.map(({ type }) => ({ type, value: this.attributes[type] ?? Buffer.alloc(0) })),
      C_CreateObject: (_session, template) => {
        if (this.importError) fail(this.importError);
        const seed = template.find(({ type }) => type === CKA_VALUE)?.value as Buffer;
        this.imported = createPrivateKey({
          key: Buffer.concat([PKCS8_ED25519, seed]),
          format: 'der',
          type: 'pkcs8',
        });
        return handle(IMPORTED);
      },
      C_DestroyObject: () => void (this.imported = null),
      C_SignInit: (session, _mechanism, key) => {
        this.signsWith = key[0] === IMPORTED && this.imported ? this.imported : this.pair.privateKey;
        const name = session.toString('hex');
        if (this.busy.has(name)) fail('CKR_OPERATION_ACTIVE');
        this.busy.add(name);
      },
      C_Sign: (session: Handle, data: Buffer, out: Buffer) => {
        const error = this.failNext.shift();
        if (error) fail(error);
        this.busy.delete(session.toString('hex'));
        sign(null, data, this.signsWith).copy(out);
        if (this.miscomputes) out[0] = (out[0] ?? 0) ^ 1;
        return out;
      },
    };
    return fake as Cryptoki;
  }

  session(pin = () => '1234'): TokenSession {
    return new TokenSession(this.cryptoki(), LABEL, pin);
  }
}

const messages = ['one', 'two', 'three'].map((text) => new TextEncoder().encode(text));
const failureOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof TokenProcessError) return error.failure;
    throw error;
  }
  throw new Error('it did not fail');
};

describe('TokenSession', () => {
  it('signs each message once, in order', () => {
    const token = new FakeToken();
    const signatures = token.session().sign(KID, messages);
    messages.forEach((message, index) => {
      expect(
        verify(null, message, token.pair.publicKey, signatures.subarray(index * 64, (index + 1) * 64)),
      ).toBe(true);
    });
    expect(token.opened).toBe(1);
  });

  it('throws a session away after an error and signs the batch in a new one', () => {
    const token = new FakeToken();
    const session = token.session();
    session.sign(KID, messages);
    token.failNext = ['CKR_DEVICE_ERROR'];
    expect(session.sign(KID, messages)).toHaveLength(192);
    expect(token.opened).toBe(2);
    expect(token.logins).toHaveLength(2);
  });

  it('gives up after the second error in a row, and works again on the next request', () => {
    const token = new FakeToken();
    const session = token.session();
    token.failNext = ['CKR_DEVICE_ERROR', 'CKR_DEVICE_ERROR'];
    expect(() => session.sign(KID, messages)).toThrow('CKR_DEVICE_ERROR');
    expect(session.sign(KID, messages)).toHaveLength(192);
  });

  it('does not try a message again that the token cannot take, but still leaves the session', () => {
    const token = new FakeToken();
    const session = token.session();
    token.failNext = ['CKR_ARGUMENTS_BAD'];
    expect(failureOf(() => session.sign(KID, messages)).code).toBe('invalid_request');
    expect(token.opened).toBe(1);
    expect(session.sign(KID, messages)).toHaveLength(192);
    expect(token.opened).toBe(2);
  });

  it('takes the PIN from where it is now, for each login', () => {
    const token = new FakeToken();
    const pins = ['1111', '2222'];
    const session = token.session(() => pins.shift() ?? '');
    token.failNext = ['CKR_SESSION_HANDLE_INVALID'];
    session.sign(KID, messages);
    expect(token.logins).toEqual(['1111', '2222']);
  });

  it.each(['CKR_PIN_INCORRECT', 'CKR_PIN_LOCKED'])('never tries a refused PIN again: %s', (reason) => {
    const token = new FakeToken();
    token.loginError = reason;
    const session = token.session();
    for (let n = 0; n < 3; n++) {
      expect(failureOf(() => session.sign(KID, messages))).toMatchObject({
        code: 'misconfigured',
        lockout: true,
      });
    }
    expect(token.logins).toHaveLength(1);
  });

  it('reports the key with its date', () => {
    const token = new FakeToken();
    expect(token.session().inspect({ kid: KID, purposes: ['audit'] })).toEqual({
      kid: KID,
      publicKey: Uint8Array.from(token.rawKey()),
      createdAt: '2026-01-31T10:00:00.000Z',
    });
  });

  it('takes a key of another tool, which has no record beside it', () => {
    const token = new FakeToken();
    delete token.attributes[0x11];
    expect(token.session().inspect({ kid: KID, purposes: ['manifest'] }).createdAt).toBeNull();
  });

  it.each([
    [0x103, '00', 'CKA_SENSITIVE'],
    [0x162, '01', 'CKA_EXTRACTABLE'],
    [0x163, '00', 'CKA_LOCAL'],
    [0x164, '00', 'CKA_NEVER_EXTRACTABLE'],
    [0x165, '00', 'CKA_ALWAYS_SENSITIVE'],
    [0x108, '00', 'CKA_SIGN'],
    [0x100, '0300000000000000', 'Edwards'],
    [0x180, '06032b6571', 'edwards25519'],
    [0x181, '04', 'CKA_EC_POINT'],
  ])('refuses a key whose attribute %i is %s', (type, value, named) => {
    const token = new FakeToken();
    token.attributes[type] = Buffer.from(value, 'hex');
    const failure = failureOf(() => token.session().inspect({ kid: KID, purposes: ['audit'] }));
    expect(failure.code).toBe('key_refused');
    expect(failure.message).toContain(named);
  });

  it('refuses a purpose the key was not made for', () => {
    const failure = failureOf(() =>
      new FakeToken().session().inspect({ kid: KID, purposes: ['audit', 'manifest'] }),
    );
    expect(failure).toMatchObject({ code: 'key_refused', message: expect.stringContaining('manifest') });
  });

  it.each([
    [0, 'unknown_key'],
    [2, 'key_refused'],
  ])('with %i keys of the label answers %s', (count, code) => {
    const token = new FakeToken();
    token.keysFound = count;
    expect(failureOf(() => token.session().inspect({ kid: KID, purposes: ['audit'] })).code).toBe(code);
  });
});

describe('TokenSession.examine', () => {
  it('has the known vector signed with the known key, which it takes away again', () => {
    const token = new FakeToken();
    expect(token.session().examine()).toEqual({
      manufacturer: 'Test maker',
      model: 'T1',
      knownVector: 'passed',
    });
    expect(token.imported).toBeNull();
  });

  it('refuses a token that computes something else', () => {
    const token = new FakeToken();
    token.miscomputes = true;
    expect(failureOf(() => token.session().examine())).toMatchObject({
      code: 'key_refused',
      message: expect.stringContaining('RFC 8032'),
    });
  });

  it('says so when the token takes no key from outside, and goes on in a new session', () => {
    const token = new FakeToken();
    token.importError = 'CKR_TEMPLATE_INCONSISTENT';
    const session = token.session();
    expect(session.examine().knownVector).toBe('not taken (CKR_TEMPLATE_INCONSISTENT)');
    expect(session.sign(KID, messages)).toHaveLength(192);
    expect(token.opened).toBe(2);
  });
});

describe('rawPublicKey', () => {
  const raw = Buffer.alloc(32, 7);
  it.each([
    ['raw', raw],
    ['OCTET STRING', Buffer.concat([Buffer.from('0420', 'hex'), raw])],
    ['BIT STRING', Buffer.concat([Buffer.from('032100', 'hex'), raw])],
  ])('reads %s', (_form, point) => expect(rawPublicKey(point).equals(raw)).toBe(true));

  it('refuses anything else', () => {
    expect(failureOf(() => rawPublicKey(Buffer.concat([Buffer.from('0521', 'hex'), raw]))).code).toBe(
      'key_refused',
    );
  });
});

describe('readPin', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pin-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('reads the PIN without the newline of the file', async () => {
    const path = join(dir, 'pin');
    await writeFile(path, '0815\n', { mode: 0o600 });
    expect(readPin(path)).toBe('0815');
  });

  it('refuses a file that others can read, saying what to run', async () => {
    const path = join(dir, 'open');
    await writeFile(path, '0815\n');
    await chmod(path, 0o644);
    expect(failureOf(() => readPin(path)).message).toContain(`chmod 0600 ${path}`);
  });

  it('refuses an empty and a missing file', async () => {
    const path = join(dir, 'empty');
    await writeFile(path, '\n', { mode: 0o600 });
    expect(failureOf(() => readPin(path)).message).toContain('empty');
    expect(failureOf(() => readPin(join(dir, 'none'))).message).toContain('cannot be read');
  });
});
