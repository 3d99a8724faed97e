import { createHash } from 'node:crypto';
import { EvidenceError } from '../evidence.error';
import { pemOfRawKey } from './public-key';
import { jwks, parseSigners, parseSignersFile, signersJson, type SignerEntry } from './signers';

/** RFC 8037, appendix A: the key and its thumbprint. */
const RAW = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
const X = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';

const entry: SignerEntry = {
  signer_kid: 'kernel-audit-ed25519-v1',
  algorithm: 'ed25519',
  public_key_pem: pemOfRawKey(RAW),
  deployedAt: '2026-01-01T00:00:00.000Z',
  description: 'Primary signer',
  purposes: ['audit'],
  status: 'active',
  retiredAt: null,
  compromisedAt: null,
};

function refusal(text: string): { code: string; pointer: string | undefined; message: string } {
  try {
    parseSigners(text);
  } catch (error) {
    if (error instanceof EvidenceError)
      return error as { code: string; pointer: string | undefined; message: string };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('signers.json', () => {
  it('is read as it is written', () => {
    expect(parseSignersFile(signersJson([entry], 'kernel.example.com/prod'))).toEqual({
      origin: 'kernel.example.com/prod',
      signers: [entry],
    });
    expect(parseSigners(signersJson([entry]))).toEqual([entry]);
  });

  it('is read in the first format of the deployment guide, and with members that it does not know', () => {
    const { signer_kid, algorithm, public_key_pem, description } = entry;
    const old = {
      signer_kid,
      algorithm,
      public_key_pem,
      description,
      deployedAt: '2025-02-24T00:00:00Z',
      note: 1,
    };
    expect(parseSigners(JSON.stringify({ signers: [old], generated: true }))).toEqual([
      { ...entry, deployedAt: '2025-02-24T00:00:00Z', purposes: ['audit', 'manifest'] },
    ]);
  });

  it.each([
    ['text that is no JSON', '{', 'invalid_signers', ''],
    ['duplicate members', '{"signers":[],"signers":[]}', 'invalid_signers', '/signers'],
    ['no list', '{}', 'invalid_signers', ''],
    ['the same kid twice', signersJson([entry, entry]), 'invalid_signers', '/signers/1/signer_kid'],
    [
      'one public key under two kids, in two spellings',
      signersJson([
        entry,
        { ...entry, signer_kid: 'again', public_key_pem: entry.public_key_pem.replaceAll('\n', '\r\n') },
      ]),
      'invalid_signers',
      '/signers/1/public_key_pem',
    ],
    ['an origin that is none', '{"signers":[],"origin":"a b"}', 'invalid_signers', '/origin'],
    ['another algorithm', wrong({ algorithm: 'rsa' }), 'invalid_signers', '/signers/0/algorithm'],
    ['a kid with a space', wrong({ signer_kid: 'a b' }), 'invalid_signers', '/signers/0/signer_kid'],
    ['an unknown purpose', wrong({ purposes: ['audit', 'all'] }), 'invalid_signers', '/signers/0/purposes'],
    ['an unknown status', wrong({ status: 'gone' }), 'invalid_signers', '/signers/0/status'],
    ['a time that is none', wrong({ retiredAt: 'yesterday' }), 'invalid_signers', '/signers/0/retiredAt'],
    [
      'a day that its month does not have',
      wrong({ retiredAt: '2026-02-31T00:00:00Z' }),
      'invalid_signers',
      '/signers/0/retiredAt',
    ],
    ['no deployedAt', wrong({ deployedAt: null }), 'invalid_signers', '/signers/0/deployedAt'],
    ['no PEM', wrong({ public_key_pem: 'x' }), 'invalid_public_key', '/signers/0/public_key_pem'],
    [
      'a key of another kind',
      wrong({ public_key_pem: pem('302a300506032b656e032100', RAW) }),
      'invalid_public_key',
      '/signers/0/public_key_pem',
    ],
    [
      'a weak key',
      wrong({ public_key_pem: pemOfRawKey(new Uint8Array(32)) }),
      'weak_public_key',
      '/signers/0/public_key_pem',
    ],
  ])('refuses %s', (_name, text, code, pointer) => {
    expect(refusal(text)).toMatchObject({ code, pointer });
  });

  it('names the signer that is refused', () => {
    expect(refusal(wrong({ public_key_pem: pemOfRawKey(new Uint8Array(32)) })).message).toContain(
      entry.signer_kid,
    );
  });
});

describe('jwks', () => {
  it('is what RFC 8037 says, without compromised keys', () => {
    const set = jwks([entry, { ...entry, signer_kid: 'lost', status: 'compromised' }]);
    expect(set).toEqual({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: X, kid: entry.signer_kid, use: 'sig', alg: 'EdDSA' }],
    });
    const thumbprint = createHash('sha256')
      .update(`{"crv":"Ed25519","kty":"OKP","x":"${X}"}`)
      .digest('base64url');
    expect(thumbprint).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });
});

function wrong(change: object): string {
  return JSON.stringify({ signers: [{ ...entry, ...change }] });
}

function pem(prefix: string, raw: Uint8Array): string {
  const der = Buffer.concat([Buffer.from(prefix, 'hex'), raw]).toString('base64');
  return `-----BEGIN PUBLIC KEY-----\n${der}\n-----END PUBLIC KEY-----\n`;
}
