import { generateKeyPairSync, sign } from 'node:crypto';
import {
  checkpointSigningInput,
  checkpointText,
  parseCheckpointSigningInput,
  parseSignedCheckpoint,
  signedCheckpoint,
} from './log-checkpoint';
import { parseLogProof } from './log-proof';
import { noteKeyHash } from './note-key';
import { pemOfRawKey } from '../keys/public-key';
import { type KeySpan } from '../keys/key-span';
import { type TrustedSigner } from '../keys/signers';
import { judgeCheckpoint } from './judge-checkpoint';

const ROOT = Buffer.alloc(32, 9);
const CHECKPOINT = { origin: 'kernel.example.com/prod', shard: 3, size: 42, root: ROOT };
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
const note = signedCheckpoint(
  CHECKPOINT,
  pemOfRawKey(raw),
  sign(null, checkpointSigningInput(CHECKPOINT), privateKey),
);
const key = (change: Partial<TrustedSigner> = {}): TrustedSigner => ({
  signer_kid: 'checkpoint-1',
  algorithm: 'ed25519',
  public_key_pem: pemOfRawKey(raw),
  deployedAt: '2026-01-01T00:00:00.000Z',
  description: '',
  purposes: ['checkpoint'],
  status: 'active',
  retiredAt: null,
  compromisedAt: null,
  ...change,
});
const judge = (text: string, signers: TrustedSigner[]): string | null => {
  const trust = { origin: CHECKPOINT.origin, signers };
  return judgeCheckpoint(parseSignedCheckpoint(text), trust, null).reasons[0] ?? null;
};

describe('a checkpoint of a log', () => {
  it('is a signed note as C2SP has it', () => {
    expect(checkpointText(CHECKPOINT)).toBe(
      `kernel.example.com/prod/log/3\n42\n${ROOT.toString('base64')}\n`,
    );
    expect(note).toMatch(/^.+\n42\n.+\n\n\u2014 kernel\.example\.com\/prod\/log\/3 [A-Za-z0-9+/]{91}=\n$/);
    expect(parseSignedCheckpoint(note)).toMatchObject({ ...CHECKPOINT, root: new Uint8Array(ROOT) });
  });

  it('names keys as Go does', () => {
    // PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW, from the package's documentation.
    const known = Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64').subarray(1);
    expect(Buffer.from(noteKeyHash('PeterNeumann', known)).toString('hex')).toBe('c74f20a3');
  });

  it('is signed by a checkpoint key that is trusted', () => {
    expect(judge(note, [key()])).toBeNull();
    const retired = { status: 'retired', retiredAt: '2026-02-01T00:00:00.000Z' } as const;
    const endingAt = (seq: number): KeySpan => ({
      after: [{ shard: 3, seq: 0 }],
      until: [{ shard: 3, seq }],
      since: null,
    });
    expect(judge(note, [key({ ...retired, span: endingAt(42) })])).toBeNull();
    expect(judge(note, [key({ ...retired, span: endingAt(41) })])).toContain('key_not_valid');
    expect(judge(note, [key(retired)])).toContain('key_not_valid');
    expect(judge(note, [])).toContain('unknown_key');
    expect(judge(note, [key({ purposes: ['audit'] })])).toContain('key_not_valid');
    expect(judge(note, [key({ status: 'compromised' })])).toContain('key_not_valid');
    expect(judge(note.replace('\n42\n', '\n43\n'), [key()])).toContain('signature');
    // Cosignatures of others are next to it.
    expect(judge(`${note}\u2014 witness.example AAAAAAAA\n`, [key()])).toBeNull();
  });

  it('may have further lines for those who read it, and is signed only without', () => {
    const extended = note.replace('=\n\n', '=\nof another time\n\n');
    const read = parseSignedCheckpoint(extended);
    expect(read).toMatchObject({ size: 42, extension: ['of another time'] });
    expect(judge(extended, [key()])).toContain('signature');
    const text = `${checkpointText(CHECKPOINT)}of another time\n`;
    const signed = `${text}\n${note.slice(note.indexOf('\u2014'))}`;
    expect(() => parseSignedCheckpoint(signed)).not.toThrow();
    expect(() => parseCheckpointSigningInput(Buffer.from(text))).toThrow('three lines');
  });

  it('is rejected as a whole when one of several signatures by its key is wrong', () => {
    const line = note.slice(note.indexOf('\u2014'));
    expect(judge(note + line, [key()])).toBeNull();
    const bytes = Buffer.from(line.trim().split(' ')[2] ?? '', 'base64');
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    expect(judge(`${note}\u2014 ${line.split(' ')[1]} ${bytes.toString('base64')}\n`, [key()])).toContain(
      'signature',
    );
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['no shard', `kernel.example.com\n42\n${ROOT.toString('base64')}\n`],
    ['a plus sign in its name', `kernel+x/log/3\n42\n${ROOT.toString('base64')}\n`],
    ['a size with a leading zero', `k/log/3\n042\n${ROOT.toString('base64')}\n`],
    ['a size beyond integers', `k/log/3\n9007199254740993\n${ROOT.toString('base64')}\n`],
    ['a short root', `k/log/3\n42\nAAAA\n`],
    ['a fourth line', `k/log/3\n42\n${ROOT.toString('base64')}\nmore\n`],
    ['no last line feed', `k/log/3\n42\n${ROOT.toString('base64')}`],
    ['an audit signing input', 'illuvrse-kernel/audit-group/v1\nk\n0\n1\nabc\n'],
  ])('is not signed when it has %s', (_, text) => {
    expect(() => parseCheckpointSigningInput(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'invalid_checkpoint' }),
    );
  });

  it.each<[string, string]>([
    ['no signature', checkpointText(CHECKPOINT)],
    ['a hyphen for a dash', note.replace('\u2014', '-')],
    ['a line that breaks off', note.slice(0, -1)],
    ['too many signatures', note + note.slice(note.indexOf('\u2014')).repeat(100)],
  ])('is no signed note with %s', (_, text) => {
    expect(() => parseSignedCheckpoint(text)).toThrow(
      expect.objectContaining({ code: 'invalid_checkpoint' }),
    );
  });
});

describe('a proof of inclusion', () => {
  const hash = ROOT.toString('base64');
  it.each<[string, string]>([
    ['another version', `c2sp.org/tlog-proof@v2\nindex 1\n${hash}\n\n${note}`],
    ['extra data that is not base64', `c2sp.org/tlog-proof@v1\nextra AAA\nindex 1\n${hash}\n\n${note}`],
    [
      'too much extra data',
      `c2sp.org/tlog-proof@v1\nextra ${'A'.repeat(65_540)}\nindex 1\n${hash}\n\n${note}`,
    ],
    ['extra data twice', `c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 1\n${hash}\n\n${note}`],
    ['extra data after the index', `c2sp.org/tlog-proof@v1\nindex 1\nextra AAAA\n${hash}\n\n${note}`],
    ['a negative index', `c2sp.org/tlog-proof@v1\nindex -1\n\n${note}`],
    ['a short hash', `c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n${note}`],
    ['too long a path', `c2sp.org/tlog-proof@v1\nindex 1\n${`${hash}\n`.repeat(54)}\n${note}`],
    ['no checkpoint', 'c2sp.org/tlog-proof@v1\nindex 1'],
  ])('is refused with %s', (_, text) => {
    expect(() => parseLogProof(text)).toThrow(expect.objectContaining({ code: 'invalid_log_proof' }));
  });

  it('is read', () => {
    const proof = parseLogProof(`c2sp.org/tlog-proof@v1\nindex 7\n${hash}\n${hash}\n\n${note}`);
    expect(proof).toMatchObject({ index: 7, checkpoint: { size: 42 }, extra: null });
    expect(proof.path).toHaveLength(2);
  });

  it('is read with the extra data that some application has put beside it', () => {
    const text = `c2sp.org/tlog-proof@v1\nextra YSBoaW50\nindex 7\n${hash}\n\n${note}`;
    expect(Buffer.from(parseLogProof(text).extra ?? []).toString()).toBe('a hint');
    expect(parseLogProof(text.replace('extra YSBoaW50', 'extra ')).extra).toEqual(new Uint8Array());
  });
});
