// The vectors of the transparency log (docs/spec/transparency-log.md) that scripts/build-vectors.mjs writes. What other
// libraries made stands in log-go.json, which test/log/go/vectors prints.
import { evidence, keyOf, refusal } from './vector-kernel.mjs';

const LOG = 'kernel.example.com/vectors/log/0';
/** A moment in 2026, so that the vectors are the same tomorrow. */
const TIME = 1_780_000_000;

export async function logVectors() {
  const party = (kid, name, type) => {
    const key = keyOf(kid);
    const raw = Buffer.from(key.publicKey, 'hex');
    const noteKey = { name, type, raw };
    const ed25519 = (input) => Uint8Array.from(Buffer.from(key.sign(input), 'base64'));
    return {
      kid,
      noteKey,
      vkey: evidence.noteKeyText(noteKey),
      published: { kid, seed: key.seed, vkey: evidence.noteKeyText(noteKey) },
      sign: (text, time = TIME) => ({
        name,
        keyHash: evidence.noteKeyHash(name, raw, type),
        signature:
          type === 'ed25519'
            ? ed25519(Buffer.from(text))
            : evidence.timestampedSignature({
                time,
                signature: ed25519(evidence.cosignatureInput(time, text)),
              }),
      }),
    };
  };
  const log = party('vector-checkpoint-1', LOG, 'ed25519');
  const other = party('vector-checkpoint-0', LOG, 'ed25519');
  const [w1, w2, w3, stranger] = ['1', '2', '3', '4'].map((n) =>
    party(`vector-witness-${n}`, `witness-${n}.example.org`, 'cosignature/v1'),
  );

  const root = Buffer.alloc(32, 5).toString('base64');
  const text = `${LOG}\n42\n${root}\n`;
  const note = (signers, signed = text) =>
    evidence.signedNote({ text, signatures: signers.map((one) => one.sign(signed)) });
  const spoilt = (one) => {
    const signature = one.sign(text);
    signature.signature[20] ^= 1;
    return evidence.signedNote({ text, signatures: [one.sign(text), signature] });
  };

  const notes = [
    ['signed by the log', note([log])],
    ['cosigned by three', note([log, w1, w2, w3])],
    ['signed by another key of the name', note([other, w1])],
    [
      'cosigned over another text',
      evidence.signedNote({ text, signatures: [log.sign(text), w1.sign(`${text}x\n`)] }),
    ],
    [
      'two cosignatures of a witness',
      evidence.signedNote({ text, signatures: [w1.sign(text, TIME), w1.sign(text, TIME - 9)] }),
    ],
    ['a right and a wrong signature of one key', spoilt(log)],
    ['a right and a wrong cosignature of one witness', spoilt(w1)],
    [
      'an extension line',
      evidence.signedNote({ text: `${text}more\n`, signatures: [log.sign(`${text}more\n`)] }),
    ],
    [
      'a log of another kind of name',
      evidence.signedNote({ text: `Some log 2026\n0\n${root}\n`, signatures: [log.sign(text)] }),
    ],
  ].map(([name, signed]) => {
    const read = evidence.parseCheckpointNote(signed);
    const verdicts = [log, w1, w2].map(({ kid, noteKey }) => {
      const { state, time } = evidence.signatureBy(noteKey, read);
      return { kid, state, time: time ?? null };
    });
    const { log: of, size, extension } = read.head;
    return { name, note: signed, log: of, size, extension, verdicts };
  });

  const line = note([log]).slice(text.length + 1);
  const refusedNotes = [
    ['no signature', `${text}\n`],
    ['no empty line', `${text}${line}`],
    ['a hyphen for the dash', `${text}\n${line.replace('\u2014', '-')}`],
    ['two spaces', `${text}\n${line.replace(' ', '  ')}`],
    ['no last line feed', `${text}\n${line.trimEnd()}`],
    ['a carriage return', `${text.replace('\n', '\r\n')}\n${line}`],
    ['a key hash alone', `${text}\n\u2014 ${LOG} AAAAAA==\n`],
    ['a plus sign in the name of a key', `${text}\n\u2014 a+b AAAAAAAA\n`],
    ['two lines', `${LOG}\n42\n\n${line}`],
    ['an empty extension line', `${text}\nmore\n\n${line}`],
    ['a size with a leading zero', `${LOG}\n042\n${root}\n\n${line}`],
    ['a size with a sign', `${LOG}\n+42\n${root}\n\n${line}`],
    ['a root of 31 bytes', `${LOG}\n42\n${Buffer.alloc(31).toString('base64')}\n\n${line}`],
    ['a root in another alphabet', `${LOG}\n42\n${'_'.repeat(43)}=\n\n${line}`],
  ].map(([name, signed]) => ({ name, note: signed, ...refusal(() => evidence.parseCheckpointNote(signed)) }));

  const keys = [
    ['no name', log.vkey.slice(LOG.length)],
    ['another name', log.vkey.replace('vectors', 'vector')],
    ['another hash', log.vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+')],
    ['an unknown kind', `a+ca978112+${Buffer.of(9, 1).toString('base64')}`],
    ['no padding', log.vkey.slice(0, -1)],
  ].map(([name, vkey]) => ({ name, vkey, ...refusal(() => evidence.parseNoteKey(vkey)) }));

  const witnesses = [w1, w2, w3].map(({ vkey }, i) => `witness w${i + 1} ${vkey}\n`).join('');
  const twoOfThree = `log ${log.vkey}\n${witnesses}group g 2 w1 w2 w3\nquorum g\n`;
  const nested = `log ${log.vkey}\n${witnesses}group ab all w1 w2\ngroup g any ab w3\nquorum g\n`;
  const judged = [
    ['two of three', twoOfThree, note([log, w1, w3])],
    ['one of three', twoOfThree, note([log, w2])],
    ['one of three and a stranger', twoOfThree, note([log, w2, stranger])],
    ['one of three, twice', twoOfThree, note([log, w2, w2])],
    ['another key of the log', twoOfThree, note([other, w1, w2, w3])],
    [
      'a wrong cosignature beside enough others',
      twoOfThree,
      evidence.signedNote({
        text,
        signatures: [log.sign(text), w1.sign(text), w2.sign(text), w3.sign(`${text}x\n`)],
      }),
    ],
    ['both of a group', nested, note([log, w1, w2])],
    ['half of a group', nested, note([log, w1])],
    ['the one outside of the group', nested, note([log, w3])],
    ['no witness is asked for', `log ${log.vkey}\nquorum none\n`, note([log])],
    ['no log is named', `${witnesses}quorum w2\n`, note([other, w2])],
    ['no checkpoint', twoOfThree, note([log]).replace('\n42\n', '\n\n')],
  ].map(([name, policy, signed]) => {
    const { refusal: reason, cosigned } = evidence.judgeByPolicy(evidence.parseLogPolicy(policy), signed);
    return { name, policy, note: signed, refusal: reason?.split(':')[0] ?? null, cosigned };
  });
  const refusedPolicies = [
    ['no quorum', witnesses],
    ['two quorums', `${witnesses}quorum w1\nquorum w1\n`],
    ['a name that nothing has', `${witnesses}quorum w4\n`],
    ['a member of two groups', `${witnesses}group a any w1 w2\ngroup b any w1 w3\nquorum a\n`],
    ['a threshold beyond its members', `${witnesses}group a 3 w1 w2\nquorum a\n`],
    ['a threshold of zero', `${witnesses}group a 0 w1 w2\nquorum a\n`],
    ['a witness under two names', `${witnesses}witness w4 ${w1.vkey}\nquorum w4\n`],
    ['a log key for a witness', `witness w1 ${log.vkey}\nquorum w1\n`],
    ['a witness key for a log', `log ${w1.vkey}\nquorum none\n`],
    ['an unknown keyword', 'logs none\nquorum none\n'],
    ['carriage returns', 'quorum none\r\n'],
  ].map(([name, policy]) => ({ name, policy, ...refusal(() => evidence.parseLogPolicy(policy)) }));

  return {
    'log-notes.json': {
      keys: [log, w1, w2].map(({ published }) => published),
      time: TIME,
      notes,
      refused: refusedNotes,
      refusedKeys: keys,
    },
    'log-consistency.json': await consistencyVectors(),
    'log-policies.json': { judged, refused: refusedPolicies },
  };
}

/** Trees whose leaf n is the text "leaf n", as those of log-go.json. */
async function consistencyVectors() {
  const hashOf = (level, index) =>
    level === 0
      ? evidence.leafHash(Buffer.from(`leaf ${index}`))
      : evidence.nodeHash(hashOf(level - 1, index * 2), hashOf(level - 1, index * 2 + 1));
  const subtree = async (level, index) => hashOf(level, index);
  const state = async (size) => ({ size, root: await evidence.treeRoot(subtree, size) });
  const [none, three, four, seven, eight] = await Promise.all([0, 3, 4, 7, 8].map(state));
  const path = (from, to) => evidence.consistencyPath(subtree, from.size, to.size);
  const foreign = { size: 3, root: Buffer.alloc(32, 1) };
  const cases = [
    ['3 to 7', three, seven, await path(three, seven), true],
    ['4 to 7, a first tree that is a perfect subtree', four, seven, await path(four, seven), true],
    ['7 to 8', seven, eight, await path(seven, eight), true],
    ['0 to 7, nothing to prove', none, seven, [], true],
    ['equal trees', seven, seven, [], true],
    ['equal sizes, other roots (a split view)', three, foreign, [], false],
    ['equal trees, with a path', seven, seven, await path(three, seven), false],
    ['from a tree without leaves, with a path', none, seven, await path(three, seven), false],
    ['from no leaves with a root of some', { size: 0, root: three.root }, seven, [], false],
    ['a smaller tree', seven, three, await path(three, seven), false],
    ['another first root', foreign, seven, await path(three, seven), false],
    ['another second root', three, { size: 7, root: eight.root }, await path(three, seven), false],
    ['a hash is missing', three, seven, (await path(three, seven)).slice(0, -1), false],
    ['a hash too many', three, seven, [...(await path(three, seven)), Buffer.alloc(32)], false],
    ['hashes in another order', three, seven, (await path(three, seven)).toReversed(), false],
    ['a path of another pair', three, seven, await path(three, eight), false],
    ['no path', three, seven, [], false],
  ];
  return cases.map(([name, first, second, hashes, consistent]) => {
    if (evidence.isConsistent(first, second, hashes) !== consistent)
      throw new Error(`the vector "${name}" is wrong`);
    const base64 = (hash) => Buffer.from(hash).toString('base64');
    return {
      name,
      firstSize: first.size,
      firstRoot: base64(first.root),
      secondSize: second.size,
      secondRoot: base64(second.root),
      path: hashes.map(base64),
      consistent,
    };
  });
}
