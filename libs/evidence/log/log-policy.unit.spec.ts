import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { cosignatureInput, timestampedSignature } from './cosignature';
import { parseSignersFile, signersJson } from '../keys/signers';
import { isQuorum, judgeByPolicy, logTrustOf, parseLogPolicy, witnessQuorum } from './log-policy';
import { type NoteKey, noteKeyHash, noteKeyText, type NoteKeyType } from './note-key';
import { type NoteSignature, signedNote } from './signed-note';

interface Party {
  key: NoteKey;
  privateKey: KeyObject;
  vkey: string;
}

function party(name: string, type: NoteKeyType): Party {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key: NoteKey = { name, type, raw: publicKey.export({ type: 'spki', format: 'der' }).subarray(12) };
  return { key, privateKey, vkey: noteKeyText(key) };
}

const LOG = 'kernel.example.com/prod/log/0';
const TEXT = `${LOG}\n7\n${Buffer.alloc(32, 1).toString('base64')}\n`;
const log = party(LOG, 'ed25519');
const [x1, x2, x3, y1, y2] = ['x1', 'x2', 'x3', 'y1', 'y2'].map((name) =>
  party(`${name}.example`, 'cosignature/v1'),
) as [Party, Party, Party, Party, Party];

function signatureOf({ key, privateKey }: Party, text = TEXT): NoteSignature {
  const keyHash = noteKeyHash(key.name, key.raw, key.type);
  const ed25519 = (input: Uint8Array) => Uint8Array.from(sign(null, input, privateKey));
  return key.type === 'ed25519'
    ? { name: key.name, keyHash, signature: ed25519(Buffer.from(text)) }
    : {
        name: key.name,
        keyHash,
        signature: timestampedSignature({
          time: 1_700_000_000,
          signature: ed25519(cosignatureInput(1_700_000_000, text)),
        }),
      };
}

const note = (...parties: Party[]) =>
  signedNote({ text: TEXT, signatures: parties.map((one) => signatureOf(one)) });

const TWO_LEVELS = `# two organisations
log ${log.vkey} https://kernel.example.com/log/0

witness X1 ${x1.vkey} https://x1.example/
witness X2 ${x2.vkey}
\twitness  X3\t${x3.vkey}\x20
group X-witnesses 2 X1 X2 X3

witness Y1 ${y1.vkey}
witness Y2 ${y2.vkey}
group Y-witnesses any Y1 Y2

group X-and-Y all X-witnesses Y-witnesses
  # and so
quorum X-and-Y
`;

describe('a policy', () => {
  const policy = parseLogPolicy(TWO_LEVELS);

  it('is read', () => {
    expect(policy.logs).toMatchObject([{ key: { name: LOG }, url: 'https://kernel.example.com/log/0' }]);
    expect(policy.witnesses.map(({ name, url }) => [name, url])).toEqual([
      ['X1', 'https://x1.example/'],
      ['X2', null],
      ['X3', null],
      ['Y1', null],
      ['Y2', null],
    ]);
    expect(policy.quorum).toMatchObject({
      group: 'X-and-Y',
      atLeast: 2,
      of: [{ atLeast: 2 }, { atLeast: 1 }],
    });
  });

  it.each<[string, Party[], string | null]>([
    ['two of three and one of two', [log, x1, x3, y2], null],
    ['everyone', [log, x1, x2, x3, y1, y2], null],
    ['one of three and both', [log, x1, y1, y2], 'quorum'],
    ['all of one organisation', [log, x1, x2, x3], 'quorum'],
    ['nobody', [log], 'quorum'],
    ['a witness twice', [log, x1, x1, y1], 'quorum'],
    ['witnesses alone', [x1, x2, y1], 'unknown_key'],
    ['another log', [party(LOG, 'ed25519'), x1, x2, y1], 'unknown_key'],
    ['strangers beside', [log, x1, x2, y1, party('x1.example', 'cosignature/v1')], null],
  ])('says of a checkpoint that is signed by %s whether to trust it', (_, parties, word) => {
    const { refusal, log: by, cosigned } = judgeByPolicy(policy, note(...parties));
    expect(refusal?.split(':')[0] ?? null).toBe(word);
    expect(by).toBe(word === 'unknown_key' ? null : LOG);
    const vkeys = parties.map(({ vkey }) => vkey);
    const known = policy.witnesses.filter(({ key }) => vkeys.includes(noteKeyText(key)));
    expect(cosigned).toEqual(known.map(({ name }) => ({ name, time: 1_700_000_000 })));
  });

  it('names who has cosigned, and what it asks for', () => {
    expect(judgeByPolicy(policy, note(log, x2, y1))).toEqual({
      log: LOG,
      cosigned: [
        { name: 'X2', time: 1_700_000_000 },
        { name: 'Y1', time: 1_700_000_000 },
      ],
      refusal: 'quorum: cosigned by X2, Y1 of the policy, which asks for 2 of 2 in X-and-Y',
    });
  });

  it('trusts nothing with a wrong signature of somebody it knows', () => {
    const wrong = signatureOf(x3, `${TEXT}more\n`);
    const signed = signedNote({
      text: TEXT,
      signatures: [...[log, x1, x2, y1].map((one) => signatureOf(one)), wrong],
    });
    expect(judgeByPolicy(policy, signed).refusal).toBe(
      'signature: not made by the witness X3 over this checkpoint',
    );
    expect(judgeByPolicy(policy, 'nonsense').refusal).toContain('invalid_checkpoint:');
    const elsewhere = note(log, x1, x2, y1).replace(`${LOG}\n7`, `${LOG}\n8`);
    expect(judgeByPolicy(policy, elsewhere).refusal).toContain('signature: not made by the log');
  });

  it('takes no log at the word of another one', () => {
    // The key signs what it likes, but under the name of its own log alone.
    const text = TEXT.replace(LOG, 'other.example/log');
    const signed = signedNote({ text, signatures: [log, x1, x2, y1].map((one) => signatureOf(one, text)) });
    expect(judgeByPolicy(policy, signed).refusal).toContain('unknown_key');
  });

  it('may ask for one witness, or for nobody, and may leave the logs to its reader', () => {
    const one = parseLogPolicy(`witness x ${x1.vkey}\nquorum x\n`);
    expect(judgeByPolicy(one, note(x1))).toMatchObject({ log: null, refusal: null });
    expect(judgeByPolicy(one, note(log)).refusal).toContain('asks for x');
    expect(judgeByPolicy(parseLogPolicy('quorum none'), note(log))).toMatchObject({
      cosigned: [],
      refusal: null,
    });
  });

  it('takes names as octets, whatever they spell', () => {
    const bytes = Buffer.concat([
      Buffer.from('witness '),
      Buffer.of(0xff, 0xfe),
      Buffer.from(` ${x1.vkey} https://exämple.example\n# \u212a is no K\nquorum `),
      Buffer.of(0xff, 0xfe),
      Buffer.from('\n'),
    ]);
    const policy = parseLogPolicy(bytes);
    expect(policy.witnesses[0]?.url).toBe('https://exämple.example');
    expect(judgeByPolicy(policy, note(x1)).refusal).toBeNull();
    expect(() => parseLogPolicy(`witness K ${x1.vkey}\nquorum \u212a\n`)).toThrow('no witness or group');
  });

  const witnesses = `witness a ${x1.vkey}\nwitness b ${x2.vkey}\nwitness c ${x3.vkey}\n`;
  it.each([
    ['no quorum', witnesses, 'no quorum line'],
    ['two quorums', `${witnesses}quorum a\nquorum b\n`, 'a quorum already'],
    ['a quorum of nobody that is known', `${witnesses}quorum d\n`, 'no witness or group'],
    ['a quorum before its group', `quorum g\n${witnesses}group g all a b\n`, 'no witness or group'],
    ['a group with later members', `group g all a\n${witnesses}quorum g\n`, 'Line 1'],
    ['a group with itself in it', `${witnesses}group g all a g\nquorum g\n`, 'no witness or group'],
    ['an empty group', `${witnesses}group g any\nquorum g\n`, 'a group is given as'],
    ['a threshold of none', `${witnesses}group g 0 a b\nquorum g\n`, 'a number from 1 to 2'],
    ['a threshold beyond all', `${witnesses}group g 3 a b\nquorum g\n`, 'a number from 1 to 2'],
    ['a threshold with a leading zero', `${witnesses}group g 01 a b\nquorum g\n`, 'a number from 1 to 2'],
    ['a member twice', `${witnesses}group g 2 a a\nquorum g\n`, 'a member of a group already'],
    [
      'a member of two groups',
      `${witnesses}group g any a b\ngroup h any a c\nquorum g\n`,
      'a member of a group already',
    ],
    ['a member "none"', `${witnesses}group g any none\nquorum g\n`, 'no witness or group'],
    ['a witness "none"', `witness none ${x1.vkey}\nquorum none\n`, 'a meaning of its own'],
    ['a name twice', `${witnesses}group a any b\nquorum a\n`, 'is taken'],
    [
      'a witness under two names',
      `${witnesses}witness d ${x1.vkey}\nquorum d\n`,
      'another witness has the same key',
    ],
    [
      'a log under two names',
      `log ${log.vkey}\nlog ${noteKeyText({ ...log.key, name: 'b' })}\nquorum none\n`,
      'another log',
    ],
    ["a log's key for a witness", `witness a ${log.vkey}\nquorum a\n`, "a log's kind of key"],
    ["a witness's key for a log", `log ${x1.vkey}\nquorum none\n`, "a witness's kind of key"],
    ['a word that nobody knows', `${witnesses}quorums a\n`, 'none of log, witness'],
    ['a key that is cut off', `witness a ${x1.vkey.slice(0, -1)}\nquorum a\n`, 'Line 1'],
    [
      'more than a witness needs',
      `witness a ${x1.vkey} https://x https://y\nquorum a\n`,
      'a witness is given as',
    ],
    ['line ends of another system', 'quorum none\r\n', 'control character'],
    [
      'too many groups',
      `${witnesses}${Array.from({ length: 129 }, (_, i) => `group g${i} any ${i === 0 ? 'a' : `g${i - 1}`}\n`).join('')}quorum a\n`,
      'more than 128 groups',
    ],
    ['too many bytes', `#${'x'.repeat(300_000)}\nquorum none\n`, 'at most'],
  ])('is refused with %s', (_, text, message) => {
    expect(() => parseLogPolicy(text)).toThrow(
      expect.objectContaining({
        code: 'invalid_log_policy',
        message: expect.stringContaining(message) as string,
      }),
    );
  });
});

describe('the quorum of a trust root', () => {
  it('is what a signers.json says, and back', () => {
    const { vkey: a } = x1;
    const { vkey: b } = x2;
    expect(logTrustOf(witnessQuorum([a, b], 1))).toEqual({ witnesses: [a, b], quorum: 1 });
    expect(logTrustOf(parseLogPolicy(`witness one ${a}\nquorum one\n`))).toEqual({
      witnesses: [a],
      quorum: 1,
    });
    expect(logTrustOf(witnessQuorum([a, b], 0))).toBeUndefined();
    const nested = `witness one ${a}\nwitness two ${b}\ngroup in 1 one two\ngroup out 1 in\nquorum out\n`;
    expect(() => logTrustOf(parseLogPolicy(nested))).toThrow(/groups of groups/);
  });

  it('is written for a signers.json only as one that its reader takes', () => {
    const many = Array.from({ length: 65 }, (_, n) => party(`w${n}.example`, 'cosignature/v1').vkey);
    const all = many.slice(0, 64);
    const trust = logTrustOf(witnessQuorum(all, 33));
    expect(parseSignersFile(signersJson([], undefined, trust && { log: trust })).log).toEqual(trust);
    expect(() => logTrustOf(witnessQuorum(many, 33))).toThrow(/at most 64 witnesses, and these are 65/);
    const named = (name: string) => logTrustOf(witnessQuorum([party(name, 'cosignature/v1').vkey], 1));
    expect(() => named('w\u00f6rth.example')).toThrow(/printable ASCII/);
  });

  it('is so many of its witnesses, of whichever logs', () => {
    const policy = witnessQuorum([x1.vkey, x2.vkey, x3.vkey], 2);
    expect(judgeByPolicy(policy, note(log, x1, x3))).toEqual({
      log: null,
      cosigned: ['x1.example', 'x3.example'].map((name) => ({ name, time: 1_700_000_000 })),
      refusal: null,
    });
    expect(judgeByPolicy(policy, note(log, x1)).refusal).toBe(
      'quorum: cosigned by x1.example of the policy, which asks for 2 of 3 in quorum-of-all',
    );
    expect(judgeByPolicy(witnessQuorum([], 0), note(log)).refusal).toBeNull();
    expect(isQuorum(policy, new Set(['x1.example', 'x2.example']))).toBe(true);
    expect(isQuorum(policy, new Set(['x1.example', 'y1.example']))).toBe(false);
  });

  it('is refused when it cannot be reached, or counts somebody twice', () => {
    for (const [vkeys, quorum] of [
      [[x1.vkey], 2],
      [[x1.vkey], -1],
      [[x1.vkey], 0.5],
      [[x1.vkey, x1.vkey], 1],
      [[log.vkey], 1],
      [['x'], 1],
    ] as const) {
      expect(() => witnessQuorum(vkeys, quorum)).toThrow(
        expect.objectContaining({ code: 'invalid_log_policy' }),
      );
    }
  });
});
