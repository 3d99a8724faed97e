import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { browserBuild } from '../browser-build.fixture';
import * as door from '../index';
import { type NoteVerdict } from '../index';

const vectors = <T>(name: string): T =>
  JSON.parse(readFileSync(join(__dirname, '../../../docs/spec/vectors', name), 'utf8')) as T;
const bytes = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));

interface Refused {
  name: string;
  code: string;
}
interface Consistency {
  firstSize: number;
  firstRoot: string;
  secondSize: number;
  secondRoot: string;
  path: string[];
}
interface Keyed {
  kid: string;
  seed: string;
  vkey: string;
}

const ours = vectors<{
  keys: Keyed[];
  notes: {
    name: string;
    note: string;
    log: string;
    size: number;
    extension: string[];
    verdicts: { kid: string; state: string; time: number | null }[];
  }[];
  refused: (Refused & { note: string })[];
  refusedKeys: (Refused & { vkey: string })[];
}>('log-notes.json');
const consistency = vectors<(Consistency & { name: string; consistent: boolean })[]>('log-consistency.json');
const policies = vectors<{
  judged: {
    name: string;
    policy: string;
    note: string;
    refusal: string | null;
    cosigned: { name: string; time: number }[];
  }[];
  refused: (Refused & { policy: string })[];
}>('log-policies.json');
const go = vectors<{
  log: Keyed;
  witnesses: Keyed[];
  notes: { name: string; note: string; signed: string[] }[];
  consistency: Consistency[];
  proofs: { size: number; index: number; leaf: string; extra: string; proof: string }[];
}>('log-go.json');

describe.each([
  ['Node.js', door],
  ['a browser', browserBuild()],
])('the vectors of the log in %s', (_, evidence) => {
  const codeOf = (action: () => unknown): string | null => {
    try {
      action();
      return null;
    } catch (error) {
      if (error instanceof evidence.EvidenceError) return error.code;
      throw error;
    }
  };
  const keyOf = (keys: Keyed[], kid: string) =>
    evidence.parseNoteKey(keys.find((key) => key.kid === kid)?.vkey ?? '');
  const verdictOf = (verdict: NoteVerdict) => [
    verdict.state,
    verdict.state === 'signed' ? verdict.time : null,
  ];
  const isConsistent = ({ firstSize, firstRoot, secondSize, secondRoot, path }: Consistency) =>
    evidence.isConsistent(
      { size: firstSize, root: bytes(firstRoot) },
      { size: secondSize, root: bytes(secondRoot) },
      path.map(bytes),
    );

  it.each(ours.notes)('a note: $name', ({ note, log, size, extension, verdicts }) => {
    const read = evidence.parseCheckpointNote(note);
    expect(read.head).toMatchObject({ log, size, extension });
    expect(evidence.signedNote(read)).toBe(note);
    for (const { kid, state, time } of verdicts) {
      expect([kid, ...verdictOf(evidence.signatureBy(keyOf(ours.keys, kid), read))]).toEqual([
        kid,
        state,
        time,
      ]);
    }
  });

  it.each(ours.refused)('no note: $name', ({ note, code }) => {
    expect(codeOf(() => evidence.parseCheckpointNote(note))).toBe(code);
  });

  it.each(ours.refusedKeys)('no key: $name', ({ vkey, code }) => {
    expect(codeOf(() => evidence.parseNoteKey(vkey))).toBe(code);
  });

  it.each(consistency)('consistency: $name', (vector) => {
    expect(isConsistent(vector)).toBe(vector.consistent);
  });

  it.each(policies.judged)('a policy: $name', ({ policy, note, refusal, cosigned }) => {
    const verdict = evidence.judgeByPolicy(evidence.parseLogPolicy(policy), note);
    expect({ refusal: verdict.refusal?.split(':')[0] ?? null, cosigned: verdict.cosigned }).toEqual({
      refusal,
      cosigned,
    });
  });

  it.each(policies.refused)('no policy: $name', ({ policy, code }) => {
    expect(codeOf(() => evidence.parseLogPolicy(policy))).toBe(code);
  });

  it.each(go.notes)('a note of Go: $name', ({ note, signed }) => {
    const read = evidence.parseCheckpointNote(note);
    const parties = { log: go.log, 'witness-1': go.witnesses[0], 'witness-2': go.witnesses[1] };
    for (const [name, key] of Object.entries(parties)) {
      const noteKey = evidence.parseNoteKey(key?.vkey ?? '');
      expect(evidence.noteKeyText(noteKey)).toBe(key?.vkey);
      const verdict = evidence.signatureBy(noteKey, read);
      expect([name, verdict.state]).toEqual([name, signed.includes(name) ? 'signed' : 'absent']);
      if (verdict.state !== 'signed') continue;
      // Ed25519 is deterministic: our own inputs make the same note.
      const input =
        verdict.time === null ? Buffer.from(read.text) : evidence.cosignatureInput(verdict.time, read.text);
      const der = Buffer.from(`302e020100300506032b657004220420${key?.seed}`, 'hex');
      const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
      const signature = Uint8Array.from(sign(null, input, privateKey));
      const line = evidence.signatureLine({
        name: noteKey.name,
        keyHash: evidence.noteKeyHash(noteKey.name, noteKey.raw, noteKey.type),
        signature:
          verdict.time === null
            ? signature
            : evidence.timestampedSignature({ time: verdict.time, signature }),
      });
      expect(note).toContain(line);
    }
    expect(evidence.signedNote(read)).toBe(note);
  });

  it(`agrees with Go about ${go.consistency.length} pairs of trees`, async () => {
    const subtree = async (level: number, index: number): Promise<Uint8Array> =>
      level === 0
        ? evidence.leafHash(Uint8Array.from(Buffer.from(`leaf ${index}`)))
        : evidence.nodeHash(await subtree(level - 1, index * 2), await subtree(level - 1, index * 2 + 1));
    for (const vector of go.consistency) {
      expect(isConsistent(vector)).toBe(true);
      const path = await evidence.consistencyPath(subtree, vector.firstSize, vector.secondSize);
      expect(path.map((hash) => Buffer.from(hash).toString('base64'))).toEqual(vector.path);
    }
  });

  it.each(go.proofs)('a receipt of Go for leaf $index', ({ size, index, leaf, extra, proof }) => {
    const read = evidence.parseLogProof(proof);
    expect(read).toMatchObject({ index, checkpoint: { size, shard: 0 } });
    expect(Buffer.from(read.extra ?? []).toString('base64')).toBe(extra);
    expect(evidence.includes(read, Uint8Array.from(Buffer.from(leaf)))).toBe(true);
    expect(evidence.includes(read, Uint8Array.from(Buffer.from(`${leaf}0`)))).toBe(false);
    const checkpoint = proof.slice(proof.indexOf('\n\n') + 2);
    if (extra === '') expect(evidence.logProofText(index, read.path, checkpoint)).toBe(proof);
  });
});
