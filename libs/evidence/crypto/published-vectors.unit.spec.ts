import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EvidenceError } from '../evidence.error';
import { checkRawPublicKey } from '../keys/public-key';
import * as browserCrypto from './browser-crypto';
import * as nodeCrypto from './node-crypto';

const FOLDER = join(__dirname, '../../../docs/spec/vectors/published');

interface Wycheproof {
  testGroups: {
    publicKey: { pk: string };
    tests: { tcId: number; msg: string; sig: string; result: 'valid' | 'invalid' }[];
  }[];
}

interface EdgeCase {
  A: string;
  R: string;
  S: string;
  M: string;
  Flags: string[] | null;
}

const wycheproof = read<Wycheproof>('wycheproof-ed25519.json').testGroups;
const edgeCases = read<EdgeCase[]>('ed25519vectors.json');
const verdicts = read<{ wycheproof: Record<string, string>; ed25519vectors: string[] }>(
  'ed25519-verdicts.json',
);

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as T;
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe.each([
  ['node:crypto', judgeWith(nodeCrypto)],
  ['WebCrypto and noble', judgeWith(browserCrypto)],
])('published Ed25519 vectors: %s', (_, judge) => {
  it('judges the signatures of Wycheproof as published', async () => {
    let count = 0;
    for (const { publicKey, tests } of wycheproof) {
      for (const { tcId, msg, sig, result } of tests) {
        const verdict = await judge(hex(publicKey.pk), hex(msg), hex(sig));
        expect([tcId, verdict]).toEqual([tcId, result === 'valid' ? 'valid' : 'invalid_signature']);
        expect(verdicts.wycheproof[tcId]).toBe(verdict);
        count++;
      }
    }
    expect(count).toBe(151);
  });

  it('takes no point of small order, with a part of small order, or that is not canonical', async () => {
    expect(edgeCases).toHaveLength(768);
    for (const [at, { A, R, S, M, Flags }] of edgeCases.entries()) {
      const flags = Flags ?? [];
      const weak = flags.some((flag) => ['LowOrderA', 'LowOrderComponentA', 'NonCanonicalA'].includes(flag));
      const expected = weak ? 'weak_public_key' : flags.length > 0 ? 'invalid_signature' : 'valid';
      expect([at, await judge(hex(A), Buffer.from(M), hex(R + S))]).toEqual([at, expected]);
      expect(verdicts.ed25519vectors[at]).toBe(expected);
    }
  });
});

interface Crypto<Key> {
  importKey(raw: Uint8Array): Key;
  verifyEd25519(key: Key, message: Uint8Array, signature: Uint8Array): boolean;
  verifyEd25519Async(key: Key, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

type Judge = (raw: Uint8Array, message: Uint8Array, signature: Uint8Array) => Promise<string>;

function judgeWith<Key>(crypto: Crypto<Key>): Judge {
  return async (raw, message, signature) => {
    try {
      checkRawPublicKey(raw);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return error.code;
    }
    const key = crypto.importKey(raw);
    const valid = crypto.verifyEd25519(key, message, signature);
    expect(await crypto.verifyEd25519Async(key, message, signature)).toBe(valid);
    return valid ? 'valid' : 'invalid_signature';
  };
}
