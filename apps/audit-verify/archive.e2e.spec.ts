import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { S3Archive } from '#platform/archive';
import {
  ARCHIVE_DAY,
  type ArchiveDay,
  archiveDayKey,
  archiveKey,
  type ChainFault,
  documentEnvelope,
  documentPayload,
  documentSigningInput,
  sha256Hex,
  signersJson,
} from '#evidence';
import { describeWithS3, EvidenceChain, TestSigner, withS3, workTree } from '#dev/testing';

const audit = new TestSigner('audit-1', { purposes: ['audit'] });
const checkpoint = new TestSigner('checkpoint-1', { purposes: ['checkpoint'] });
const DAYS = ['2026-01-31', '2026-02-01', '2026-02-03', '2026-02-04'];

/** What the trust root knows of the kernel beyond its keys. */
const KNOWN = { shards: 1, approverPool: null };

let dir: string;
let program: string;
let signers: string;
/** Key and bytes of every object of an archive of four days, of which three are over. */
const objects = new Map<string, Uint8Array>();
const chain = new EvidenceChain(audit);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'audit-verify-archive-'));
  // Away from the repository, so that no node_modules is in reach.
  program = join(dir, 'audit-verify.js');
  cpSync(join(workTree(), 'tools', 'audit-verify.js'), program);
  signers = join(dir, 'signers.json');
  writeFileSync(signers, signersJson([audit.entry, checkpoint.entry], chain.origin, KNOWN));
  chain.found([audit], { ts: `${DAYS[0]}T00:00:00.000Z` });
  for (const [i, day] of DAYS.entries()) {
    for (let n = i === 0 ? 2 : 1; n <= 5; n++) chain.append({ ts: `${day}T00:00:0${n}.000Z` });
  }
  chain.events.forEach((event, n) => objects.set(archiveKey(event), chain.bytes[n] as Uint8Array));
  let previous: ArchiveDay['previous'] = null;
  for (const day of DAYS.slice(0, 3)) {
    const [key, bytes] = manifest(day, { previous });
    objects.set(key, bytes);
    previous = { day, sha256: sha256Hex(bytes) };
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function manifest(day: string, given: Partial<ArchiveDay>, signer = checkpoint): [string, Uint8Array] {
  const own = chain.events.filter(({ ts }) => ts.startsWith(day));
  const point = (event = own[0]): { seq: number; hash: string } => ({
    seq: event?.seq ?? 0,
    hash: event?.hash ?? '',
  });
  const document: ArchiveDay = {
    origin: chain.origin,
    shard: 0,
    day,
    count: own.length,
    first: point(own[0]),
    last: point(own.at(-1)),
    previous: null,
    signedAt: '2026-02-05T00:00:00.000Z',
    ...given,
  };
  const payload = documentPayload(ARCHIVE_DAY, document);
  const signature = signer.sign(documentSigningInput(ARCHIVE_DAY, payload));
  return [archiveDayKey(document), documentEnvelope(ARCHIVE_DAY, payload, signer.kid, signature)];
}

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

function run(args: string[], env: Record<string, string> = {}): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, '--signers', signers, ...args], { cwd: dir, env });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, ...output }));
  });
}

const faults = ({ stdout }: Run): string[] =>
  (JSON.parse(stdout) as { faults: ChainFault[] }).faults.map(
    ({ code, shard, seq }) => `${code} ${shard}:${seq}`,
  );

type Change = (objects: Map<string, Uint8Array>) => void;
const day = (n: number): string => `manifests/0/${(DAYS[n] ?? '').replaceAll('-', '/')}.json`;
const event = (seq: number): string => archiveKey(chain.events[seq - 1] ?? { id: '', ts: '' });
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
const digest = (bytes: Uint8Array | undefined): string => sha256Hex(bytes ?? new Uint8Array());

const CHANGES: [string, Change, string[]][] = [
  ['nothing', () => undefined, []],
  [
    'a changed event',
    (all) => all.set(event(3), Buffer.from(text(all.get(event(3))).replace('event 3', 'event 4'))),
    ['hash 0:3'],
  ],
  ['an event taken away', (all) => all.delete(event(8)), ['gap 0:8']],
  [
    'the last event of a closed day and all after it taken away',
    (all) => {
      for (let seq = 16; seq <= 21; seq++) all.delete(event(seq));
    },
    ['manifest 0:16'],
  ],
  [
    'all events after the closed days taken away, which nothing tells',
    (all) => {
      for (let seq = 17; seq <= 21; seq++) all.delete(event(seq));
    },
    [],
  ],
  ['the first manifest taken away', (all) => all.delete(day(0)), ['manifest 0:7']],
  ['a manifest in the middle taken away', (all) => all.delete(day(1)), ['manifest 0:12']],
  [
    'a manifest that is changed',
    (all) => all.set(day(1), Buffer.from(text(all.get(day(1))).replace('checkpoint-1', 'checkpoint-2'))),
    ['manifest 0:7', 'manifest 0:12'],
  ],
  [
    'a manifest under the key of another day',
    (all) => {
      all.set('manifests/0/2026/02/02.json', all.get(day(2)) ?? new Uint8Array());
    },
    ['manifest 0:12'],
  ],
  [
    'a manifest signed by an audit key',
    (all) => {
      all.set(
        ...manifest(
          DAYS[2] ?? '',
          { previous: { day: DAYS[1] ?? '', sha256: digest(all.get(day(1))) } },
          audit,
        ),
      );
    },
    ['manifest 0:12'],
  ],
  [
    'a manifest of another kernel',
    (all) => {
      all.set(
        ...manifest(DAYS[2] ?? '', {
          origin: 'kernel.example.com/other',
          previous: { day: DAYS[1] ?? '', sha256: digest(all.get(day(1))) },
        }),
      );
    },
    ['manifest 0:12'],
  ],
  [
    'a manifest that leaves the last event of its day out',
    (all) => {
      const [, , , , , , , , , , , , , , fifteenth] = chain.events;
      all.set(
        ...manifest(DAYS[2] ?? '', {
          count: 4,
          last: { seq: 15, hash: fifteenth?.hash ?? '' },
          previous: { day: DAYS[1] ?? '', sha256: digest(all.get(day(1))) },
        }),
      );
    },
    ['manifest 0:16'],
  ],
  [
    'a manifest with another last hash',
    (all) => {
      all.set(
        ...manifest(DAYS[2] ?? '', {
          last: { seq: 16, hash: 'ab'.repeat(32) },
          previous: { day: DAYS[1] ?? '', sha256: digest(all.get(day(1))) },
        }),
      );
    },
    ['manifest 0:16'],
  ],
  [
    'a manifest that another one does not link to',
    (all) => {
      all.set(
        ...manifest(DAYS[1] ?? '', {
          signedAt: '2026-02-06T00:00:00.000Z',
          previous: { day: DAYS[0] ?? '', sha256: digest(all.get(day(0))) },
        }),
      );
    },
    ['manifest 0:12'],
  ],
  [
    'an object that is no manifest',
    (all) => all.set('manifests/0/latest.json', Buffer.from('{}')),
    ['manifest null:null'],
  ],
];

/** The verdict about the whole archive: the day that is not over has no manifest yet. */
function verified(): string {
  return (
    'the end is not anchored: no expected head, day manifest or checkpoint vouches for 0:17 to 0:21\n' +
    `Audit chain verified. Head hash: ${chain.events.at(-1)?.hash}\n`
  );
}

function changed(change: Change): Map<string, Uint8Array> {
  const copy = new Map(objects);
  change(copy);
  return copy;
}

describe('audit-verify.js --dir with day manifests', () => {
  async function folder(content: Map<string, Uint8Array>): Promise<string> {
    const root = mkdtempSync(join(dir, 'folder-'));
    for (const [key, bytes] of content) {
      await mkdir(dirname(join(root, key)), { recursive: true });
      await writeFile(join(root, key), bytes);
    }
    return root;
  }

  it.each(CHANGES)('finds what it should after %s', async (_name, change, expected) => {
    const result = await run(['--dir', await folder(changed(change)), '--json']);
    expect(faults(result)).toEqual(expected);
    expect(result.code).toBe(expected.length === 0 ? 0 : 1);
  });

  it('counts them, and says when nobody is trusted to sign them', async () => {
    const root = await folder(objects);
    const signed = await run(['--dir', root]);
    expect(signed.stderr).toMatch(/^21 events, 3 day manifests of /);
    expect(signed.stdout).toBe(verified());
    const without = join(dir, 'without.json');
    writeFileSync(without, signersJson([audit.entry], chain.origin, KNOWN));
    const unsigned = await run(['--signers', without, '--dir', root]);
    expect(unsigned).toMatchObject({ code: 0 });
    expect(unsigned.stdout).toContain(' vouches for 0:1 to 0:21\n');
    expect(unsigned.stderr).toContain('3 day manifests (unsigned: the signers have no checkpoint key)');
  });

  it('leaves out what was not asked for', async () => {
    const root = await folder(changed((all) => all.delete(day(0))));
    expect((await run(['--dir', root, '--shard', '1', '--json'])).stdout).toContain('"truncation"');
    const whole = await folder(objects);
    expect(faults(await run(['--dir', whole, '--from', '9', '--json']))).toEqual([]);
    expect(existsSync(whole)).toBe(true);
    await rm(join(whole, 'audit'), { recursive: true });
    expect(faults(await run(['--dir', whole, '--json']))).toEqual([
      'manifest 0:6',
      'manifest 0:11',
      'manifest 0:16',
    ]);
    expect((await readFile(join(whole, day(0)))).length).toBeGreaterThan(0);
  });
});

describeWithS3('audit-verify.js --s3', () => {
  const s3 = withS3();

  async function bucket(
    content: Map<string, Uint8Array>,
    prefix = '',
  ): Promise<{ name: string; env: Record<string, string> }> {
    const { name, owner } = await s3().createBucket();
    const { endpoint, region } = s3();
    const archive = await S3Archive.open({
      bucket: name,
      region,
      endpoint,
      credentials: owner,
      retention: { mode: 'GOVERNANCE', days: 1 },
    });
    await Promise.all([...content].map(([key, bytes]) => archive.putDocument(prefix + key, bytes)));
    await archive.close();
    const env = {
      AWS_ACCESS_KEY_ID: owner.accessKeyId,
      AWS_SECRET_ACCESS_KEY: owner.secretAccessKey,
      AWS_REGION: region,
      AWS_ENDPOINT_URL: endpoint,
    };
    return { name, env };
  }

  it.each(CHANGES)('finds what it should after %s', async (_name, change, expected) => {
    const { name, env } = await bucket(changed(change));
    const result = await run(['--s3', `s3://${name}`, '--json'], env);
    expect(faults(result)).toEqual(expected);
    expect(result.code).toBe(expected.length === 0 ? 0 : 1);
  });

  it('says what the contract says, for a part of a bucket and by a plain URL', async () => {
    const { name, env } = await bucket(objects, 'kernel/prod/');
    expect(await run(['--s3', `s3://${name}/kernel/prod`], env)).toMatchObject({
      code: 0,
      stdout: verified(),
    });
    const { AWS_ENDPOINT_URL, ...rest } = env as { AWS_ENDPOINT_URL: string };
    const plain = `${AWS_ENDPOINT_URL}/${name}/kernel/prod/`;
    expect(await run(['--s3', plain], rest)).toMatchObject({ code: 0, stdout: verified() });
    const option = ['--s3', `s3://${name}/kernel/prod`, '--s3-endpoint', AWS_ENDPOINT_URL];
    expect(await run(option, rest)).toMatchObject({ code: 0, stdout: verified() });
  });

  it('reads more than one page', async () => {
    const long = new EvidenceChain(audit).found().appendMany(1_200);
    const { name, env } = await bucket(
      new Map(long.events.map((e, n) => [archiveKey(e), long.bytes[n] as Uint8Array])),
    );
    const whole = await run(['--s3', `s3://${name}`], env);
    expect(whole.code).toBe(0);
    expect(whole.stdout).toContain(`\nAudit chain verified. Head hash: ${long.events.at(-1)?.hash}\n`);
  });

  it.each<[string, (name: string, env: Record<string, string>) => Promise<Run>, RegExp]>([
    [
      'without credentials',
      (name, env) => run(['--s3', `${env['AWS_ENDPOINT_URL']}/${name}`]),
      /cannot be read: .*AWS_ACCESS_KEY_ID/,
    ],
    [
      'with a wrong secret',
      (name, env) => run(['--s3', `s3://${name}`], { ...env, AWS_SECRET_ACCESS_KEY: 'wrong' }),
      /cannot be read: SignatureDoesNotMatch/,
    ],
    [
      'of a bucket that is not there',
      (_name, env) => run(['--s3', 's3://no-such-bucket'], env),
      /no bucket|NoSuchBucket|AccessDenied/,
    ],
    [
      'at an address where nobody is',
      (name, env) => run(['--s3', `s3://${name}`, '--s3-endpoint', 'http://127.0.0.1:1'], env),
      /cannot be read: .*ECONNREFUSED|bad port/,
    ],
  ])('exits with 2 %s', async (_name, verify, message) => {
    const { name, env } = await bucket(new Map());
    const result = await verify(name, env);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toContain(env['AWS_SECRET_ACCESS_KEY']);
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('audit-verify.js --s3 against servers that are none', () => {
  let server: Server;
  let answer: { status: number; body: string };
  beforeAll(async () => {
    server = createServer((_request, response) => {
      response.writeHead(answer.status).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it.each<[string, { status: number; body: string }, RegExp]>([
    ['answers with a page', { status: 200, body: '<html></html>' }, /is not S3/],
    ['sends elsewhere', { status: 301, body: '' }, /status 301\. Set AWS_REGION/],
    [
      'lists the same key for ever',
      { status: 200, body: '<IsTruncated>true</IsTruncated><Key>audit/x</Key>' },
      /in order/,
    ],
  ])('exits with 2 when one %s', async (_name, given, message) => {
    answer = given;
    const { port } = server.address() as AddressInfo;
    const result = await run(['--s3', `http://127.0.0.1:${port}/audit-bucket`]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(message);
  });
});
