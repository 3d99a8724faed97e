import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments as read } from './arguments';
import { UsageError } from './usage.error';

const readArguments = (argv: string[], environment: NodeJS.ProcessEnv = {}) => read(argv, environment);

const HASH = '0123456789abcdef'.repeat(4);
const base = ['--signers', 's.json', '--export', '-'];

describe('readArguments', () => {
  it('fills in the defaults', () => {
    expect(readArguments(base)).toMatchObject({
      signers: 's.json',
      source: { kind: 'export', path: '-' },
      origin: null,
      from: 1,
      shard: null,
      expectedHeads: [],
      json: false,
      chainOnly: false,
    });
  });

  it.each([
    ['no source', ['--signers', 's.json'], /Nothing to verify/],
    ['two sources', [...base, '--dir', 'd'], /only one/],
    ['no signers', ['--dir', 'd'], /--signers is missing/],
    ['an unknown option', [...base, '--fast'], /--fast/],
    ['a position that is none', [...base, '--from', '0'], /--from must be an integer from 1/],
    ['a shard that is none', [...base, '--shard', '-1'], /shard/],
    ['an origin that is none', [...base, '--origin', 'a b'], /no origin/],
    ['a head that is none', [...base, '--expect-head', 'xyz'], /--expect-head xyz/],
    [
      'a head before the first position',
      [...base, '--from', '9', '--expect-head', '0:7'],
      /lies before --from 9/,
    ],
    ['a bucket without a name', ['--signers', 's.json', '--s3', 's3://'], /names no bucket|no URL/],
    ['an S3 URL of another kind', ['--signers', 's.json', '--s3', 'ftp://host/bucket'], /another scheme/],
    [
      'credentials in an S3 URL',
      ['--signers', 's.json', '--s3', 'https://id:secret@host/bucket'],
      /credentials in it/,
    ],
    ['an S3 endpoint alone', [...base, '--s3-endpoint', 'https://host'], /--s3 is, which is missing/],
    [
      'two S3 endpoints',
      ['--signers', 's.json', '--s3', 'https://a/bucket', '--s3-endpoint', 'https://b'],
      /names its endpoint itself/,
    ],
    ['no jobs', [...base, '--jobs', '0'], /--jobs/],
    ['a checkpoint over a part', [...base, '--checkpoint', 'c', '--from', '2'], /leave --from out/],
    ['a checkpoint without keys', [...base, '--checkpoint', 'c', '--chain-only'], /--chain-only/],
    ['a policy for nothing', [...base, '--policy', 'p'], /--checkpoint needs, which is missing/],
    ['a checkpoint that is not there', [...base, '--checkpoint', '/none'], /--checkpoint \/none: .*ENOENT/],
    ['a report of another kind', [...base, '--report', 'r.pdf'], /must end with .html, .csv or .json/],
  ])('refuses %s', (_name, argv, message) => {
    expect(() => readArguments(argv)).toThrow(UsageError);
    expect(() => readArguments(argv)).toThrow(message);
  });

  it('takes the database of the environment where nothing else is named', () => {
    const environment = { DATABASE_URL: 'postgres://host/kernel' };
    expect(readArguments(['--signers', 's.json'], environment)).toMatchObject({
      source: { kind: 'database', url: 'postgres://host/kernel' },
    });
    expect(readArguments(base, environment)).toMatchObject({ source: { kind: 'export', path: '-' } });
    expect(() => readArguments(['--signers', 's.json'], { DATABASE_URL: '' })).toThrow(/or set DATABASE_URL/);
  });

  it('needs no signers to check the chain alone', () => {
    expect(readArguments(['--dir', 'd', '--chain-only'])).toMatchObject({ signers: null, chainOnly: true });
  });

  it('reads heads in every form', () => {
    const dir = mkdtempSync(join(tmpdir(), 'arguments-'));
    try {
      const file = join(dir, 'head.json');
      writeFileSync(file, JSON.stringify([{ shard: 1, seq: 9, hash: HASH, ts: 'x' }]));
      const heads = [HASH, '0:7', `0:8:${HASH}`, file].flatMap((head) => ['--expect-head', head]);
      expect(readArguments([...base, ...heads])?.expectedHeads).toEqual([
        { shard: null, seq: null, hash: HASH },
        { shard: 0, seq: 7, hash: null },
        { shard: 0, seq: 8, hash: HASH },
        { shard: 1, seq: 9, hash: HASH },
      ]);
      expect(readArguments([...base, ...heads, '--shard', '1'])?.expectedHeads).toEqual([
        { shard: null, seq: null, hash: HASH },
        { shard: 1, seq: 9, hash: HASH },
      ]);
      writeFileSync(file, '{}');
      expect(() => readArguments([...base, '--expect-head', file])).toThrow(/array of heads/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
