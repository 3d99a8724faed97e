import {
  ARCHIVE_DAY,
  type ArchiveDay,
  AUDIT_REPORT,
  checkpointSigningInput,
  consistencyPath,
  documentPayload,
  documentSigningInput,
  dssePae,
  leafHash,
  MANIFEST_PAYLOAD_TYPE,
  manifestStatement,
  nodeHash,
  signerPossessionInput,
  type Subtree,
  treeRoot,
} from '#evidence';
import { type Fake, fakesOf, type Table } from './fake';
import { item, type Item, KEYS, type LiveKernel, refusalOf } from './live-kernel';

const OTHER_KERNEL = 'kernel.example.com/other';
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const statement = (origin: string) =>
  manifestStatement({
    manifestId: 'release-7',
    version: '1',
    kind: null,
    division: null,
    origin,
    signedAt: '2026-01-31T10:00:00.000Z',
    requestedBy: 'deployer',
    auditSeqAfter: '0:1',
    sha256: 'cd'.repeat(32),
  });
export const manifestItem = (origin: string, kid: string = KEYS.manifest): Item =>
  item('manifest', kid, dssePae(MANIFEST_PAYLOAD_TYPE, statement(origin)));

function dayItem(origin: string): Item {
  const day: ArchiveDay = {
    origin,
    shard: 0,
    day: '2026-01-31',
    count: 1,
    first: { seq: 1, hash: 'ab'.repeat(32) },
    last: { seq: 1, hash: 'ab'.repeat(32) },
    previous: null,
    signedAt: '2026-02-01T00:05:00.000Z',
  };
  return item(
    'archive-day',
    KEYS.checkpoint,
    documentSigningInput(ARCHIVE_DAY, documentPayload(ARCHIVE_DAY, day)),
  );
}

function sealItem(origin: string): Item {
  const seal = documentPayload(AUDIT_REPORT, {
    origin,
    id: '0198f4c2-1b2a-7000-8000-000000000001',
    startedAt: '2026-02-01T02:00:00.000Z',
    verdict: 'clean',
    events: 1,
    findings: 0,
    report: { sha256: 'ef'.repeat(32), size: 1 },
    signedAt: '2026-02-01T02:00:01.000Z',
  });
  return item('audit-report', KEYS.checkpoint, documentSigningInput(AUDIT_REPORT, seal));
}

function possession(origin: string, kid: string, signedBy: string): Item {
  const input = signerPossessionInput({
    origin,
    replaces: KEYS.audit,
    kid,
    publicKeySha256: 'ab'.repeat(32),
  });
  return item('signer-possession', signedBy, input);
}

const checkpointItem = (origin: string): Item =>
  item(
    'log-checkpoint',
    KEYS.checkpoint,
    checkpointSigningInput({ origin, shard: 0, size: 1, root: Buffer.alloc(32, 7) }),
  );

const text = ({ input }: Item): string => Buffer.from(input, 'base64').toString();

const KERNEL_CERTIFICATE: Table<LiveKernel> = [
  [
    'an event of a shard that does not exist',
    'unknown_shard',
    (k) => k.sign('kernel', k.event(1, { shard: 1 })),
  ],
  ['an event of the highest shard', 'unknown_shard', (k) => k.sign('kernel', k.event(1, { shard: 1_023 }))],
  ['another event in the place of the first', 'below_high_water_mark', (k) => k.sign('kernel', k.event(1))],
  [
    'another event in a place that is built upon',
    'below_high_water_mark',
    async (k) => k.sign('kernel', k.event((await k.head()).seq - 1)),
  ],
  [
    'a whole other history from the beginning on',
    'below_high_water_mark',
    async (k) => {
      const { seq } = await k.head();
      return k.sign('kernel', ...Array.from({ length: seq }, (_, i) => k.event(i + 1)));
    },
  ],
  [
    'an event 100,000 places ahead',
    'position_ahead',
    async (k) => k.sign('kernel', k.event((await k.head()).signed + 100_000)),
  ],
  [
    'an event two places ahead of all that was signed',
    'position_ahead',
    async (k) => k.sign('kernel', k.event((await k.head()).signed + 2)),
  ],
  [
    'an event, with the claim that what nobody signed is committed',
    'position_ahead',
    async (k) => {
      const { signed } = await k.head();
      return k.sign('kernel', { ...k.event(signed + 10), committed: signed + 9 });
    },
  ],
  [
    'two events in one place',
    'positions_not_consecutive',
    async (k) => {
      const { signed } = await k.head();
      return k.sign('kernel', k.event(signed + 1), k.event(signed + 1, { hash: 'ab'.repeat(32) }));
    },
  ],
  [
    'events with a gap between them',
    'positions_not_consecutive',
    async (k) => {
      const { signed } = await k.head();
      return k.sign('kernel', k.event(signed + 1), k.event(signed + 3));
    },
  ],
  ["another kernel's event", 'foreign_origin', (k) => k.sign('kernel', k.event(1, { origin: OTHER_KERNEL }))],
  ["another kernel's manifest", 'foreign_origin', (k) => k.sign('kernel', manifestItem(OTHER_KERNEL))],
  [
    'an event with the manifest key',
    'wrong_key_purpose',
    (k) => k.sign('kernel', k.event(1, { kid: KEYS.manifest })),
  ],
  [
    'an event with the checkpoint key',
    'wrong_key_purpose',
    (k) => k.sign('kernel', k.event(1, { kid: KEYS.checkpoint })),
  ],
  [
    'a manifest with the audit key',
    'wrong_key_purpose',
    (k) => k.sign('kernel', manifestItem(k.origin, KEYS.audit)),
  ],
  [
    'an event with a key that nobody has',
    'unknown_key',
    (k) => k.sign('kernel', k.event(1, { kid: 'kernel-audit-ed25519-v9' })),
  ],
  [
    'an event with a key by its file',
    'unknown_key',
    (k) => k.sign('kernel', k.event(1, { kid: '../signing-keys/x' })),
  ],
  [
    'bytes of its choice',
    'input_not_of_purpose',
    (k) => k.sign('kernel', item('audit-event', KEYS.audit, 'attack at dawn')),
  ],
  [
    'the approval of an upgrade',
    'input_not_of_purpose',
    (k) =>
      k.sign(
        'kernel',
        item('audit-event', KEYS.audit, `illuvrse-kernel/approval/v1\n{"origin":"${k.origin}"}`),
      ),
  ],
  [
    'a checkpoint as an event',
    'input_not_of_purpose',
    (k) => k.sign('kernel', { ...checkpointItem(k.origin), purpose: 'audit-event', kid: KEYS.audit }),
  ],
  [
    'an event as a manifest',
    'input_not_of_purpose',
    (k) => k.sign('kernel', { ...k.event(1), purpose: 'manifest', kid: KEYS.manifest }),
  ],
  [
    'an event with a line after it',
    'input_not_of_purpose',
    (k) => k.sign('kernel', item('audit-event', KEYS.audit, `${text(k.event(1))}more\n`)),
  ],
  [
    'a statement with one member more',
    'input_not_of_purpose',
    (k) => {
      const json = Buffer.from(statement(k.origin)).toString();
      const payload = Buffer.from(json.replace('"subject":', '"approved":true,"subject":'));
      return k.sign('kernel', item('manifest', KEYS.manifest, dssePae(MANIFEST_PAYLOAD_TYPE, payload)));
    },
  ],
  [
    'the possession of a key, by another key',
    'input_not_of_purpose',
    (k) => k.sign('kernel', possession(k.origin, 'thief-v1', 'kernel-audit-ed25519-v2')),
  ],
  [
    'the possession of a key with another public key',
    'input_not_of_purpose',
    (k) => k.sign('kernel', possession(k.origin, 'kernel-audit-ed25519-v2', 'kernel-audit-ed25519-v2')),
  ],
  [
    'the possession of a key, for another kernel',
    'foreign_origin',
    (k) => k.sign('kernel', possession(OTHER_KERNEL, 'kernel-audit-ed25519-v2', 'kernel-audit-ed25519-v2')),
  ],
  ['a checkpoint, as bytes', 'unknown_purpose', (k) => k.sign('kernel', checkpointItem(k.origin))],
  ['a checkpoint', 'client_not_permitted', (k) => checkpoint(k, { as: 'kernel' })],
  ['the manifest of a day', 'client_not_permitted', (k) => k.sign('kernel', dayItem(k.origin))],
  ['the seal of an audit report', 'client_not_permitted', (k) => k.sign('kernel', sealItem(k.origin))],
  [
    'a forged event among good ones',
    'unknown_shard',
    async (k) => {
      const { signed } = await k.head();
      return k.sign('kernel', k.event(signed + 1), k.event(1, { shard: 3 }), manifestItem(k.origin));
    },
  ],
  [
    '513 events at once',
    'batch_too_large',
    async (k) => {
      const { signed } = await k.head();
      return k.sign('kernel', ...Array.from({ length: 513 }, (_, i) => k.event(signed + 1 + i)));
    },
  ],
  ['a restore window', 'client_not_permitted', (k) => window(k, 'kernel')],
  [
    'a key under the name of one in use',
    'key_exists',
    async (k) =>
      refusalOf(await k.proxy('kernel').post('/v1/keys', { kid: KEYS.audit, purposes: ['manifest'] })),
  ],
];

const PUBLISHER_CERTIFICATE: Table<LiveKernel> = [
  [
    'an event',
    'client_not_permitted',
    async (k) => k.sign('log-publisher', k.event((await k.head()).signed + 1)),
  ],
  ['a manifest', 'client_not_permitted', (k) => k.sign('log-publisher', manifestItem(k.origin))],
  ['the manifest of a day', 'client_not_permitted', (k) => k.sign('log-publisher', dayItem(k.origin))],
  ['the seal of an audit report', 'client_not_permitted', (k) => k.sign('log-publisher', sealItem(k.origin))],
  [
    'the possession of a key',
    'client_not_permitted',
    (k) =>
      k.sign('log-publisher', possession(k.origin, 'kernel-audit-ed25519-v2', 'kernel-audit-ed25519-v2')),
  ],
  ['a checkpoint, as bytes', 'unknown_purpose', (k) => k.sign('log-publisher', checkpointItem(k.origin))],
  ['a restore window', 'client_not_permitted', (k) => window(k, 'log-publisher')],
  [
    'a new key',
    'client_not_permitted',
    async (k) =>
      refusalOf(
        await k.proxy('log-publisher').post('/v1/keys', { kid: 'kernel-thief-v1', purposes: ['audit'] }),
      ),
  ],
  ['another root of the published size', 'checkpoint_conflict', (k) => checkpoint(k, { lie: 'start' })],
  ['an older size', 'checkpoint_conflict', (k) => checkpoint(k, { by: -2 })],
  ['an older size, with another root', 'checkpoint_conflict', (k) => checkpoint(k, { by: -2, lie: 'start' })],
  ['a larger size without a proof', 'checkpoint_conflict', (k) => checkpoint(k, { by: 1, from: null })],
  [
    'a larger size with a proof from elsewhere',
    'checkpoint_conflict',
    (k) => checkpoint(k, { by: 1, from: -1 }),
  ],
  [
    'another history, with its own proof',
    'invalid_consistency',
    (k) => checkpoint(k, { by: 1, from: 0, lie: 'start' }),
  ],
  [
    'another history that parts from the genuine one at its last event',
    'invalid_consistency',
    (k) => checkpoint(k, { by: 1, from: 0, lie: 'last' }),
  ],
  [
    'another history, with the genuine proof',
    'invalid_consistency',
    (k) => checkpoint(k, { by: 1, from: 0, lie: 'start', genuineProof: true }),
  ],
  ['a log with events that nobody signed', 'beyond_committed', (k) => checkpoint(k, { by: 5_000, from: 0 })],
  ['a log of a shard that does not exist', 'unknown_shard', (k) => checkpoint(k, { shard: 5 })],
  ['a checkpoint with the audit key', 'wrong_key_purpose', (k) => checkpoint(k, { kid: KEYS.audit })],
  ['a checkpoint with the manifest key', 'wrong_key_purpose', (k) => checkpoint(k, { kid: KEYS.manifest })],
  ['a checkpoint with a key that nobody has', 'unknown_key', (k) => checkpoint(k, { kid: 'thief-v1' })],
];

async function window(k: LiveKernel, client: 'kernel' | 'log-publisher'): Promise<string[]> {
  const body = { shard: 0, seq: 1, seconds: 60, reason: 'a drill' };
  return refusalOf(await k.proxy(client).post('/v1/restore-windows', body));
}

/** Leaves of the published log, as they were when the suite had its checkpoint signed. */
let published: Uint8Array[] = [];

/** Has the genuine log signed, as the publisher does, but for its last event. */
export async function publishGenuineLog(k: LiveKernel): Promise<void> {
  const events = await k.events();
  const last = (await k.proxy('log-publisher').get('/v1/checkpoints')).json as {
    checkpoints: { size: number }[];
  };
  const from = last.checkpoints[0]?.size ?? null;
  published = events.slice(0, -1);
  const refused = await ask(k, {
    shard: 0,
    size: published.length,
    root: await rootOf(published),
    consistency: from === null ? null : { from, hashes: await proofOf(published, from, published.length) },
  });
  if (refused.length > 0) throw new Error(`the genuine log is refused: ${refused.join()}`);
}

interface Asked {
  /** Size, counted from the published one. */
  by?: number;
  /** Where the proof starts, counted from the published size; null: there is none. */
  from?: number | null;
  /** Where it stops to be the genuine log: at its first event, at the last published one, or behind that. */
  lie?: 'start' | 'last' | 'behind';
  genuineProof?: boolean;
  shard?: number;
  kid?: string;
  as?: 'kernel' | 'log-publisher';
}

/** Asks for the checkpoint of a log that differs in one way from the genuine one. */
export async function checkpoint(k: LiveKernel, asked: Asked): Promise<string[]> {
  const { by = 0, from = null, lie, genuineProof = false, shard = 0, kid, as = 'log-publisher' } = asked;
  const size = published.length + by;
  const genuine = await k.events();
  while (genuine.length < size) genuine.push(Buffer.from(`event ${genuine.length}`));
  const first = { start: 0, last: published.length - 1, behind: published.length, none: size }[lie ?? 'none'];
  const tree = genuine.slice(0, size).map((leaf, i) => (i < first ? leaf : Buffer.from(`lie ${i}`)));
  const start = published.length + (from ?? 0);
  return ask(
    k,
    {
      ...(kid === undefined ? {} : { kid }),
      shard,
      size,
      root: await rootOf(tree),
      consistency:
        from === null
          ? null
          : { from: start, hashes: await proofOf(genuineProof ? genuine : tree, start, size) },
    },
    as,
  );
}

async function ask(
  k: LiveKernel,
  body: object,
  as: 'kernel' | 'log-publisher' = 'log-publisher',
): Promise<string[]> {
  return refusalOf(await k.proxy(as).post('/v1/checkpoints', body));
}

async function rootOf(leaves: readonly Uint8Array[]): Promise<string> {
  return base64(await treeRoot(treeOf(leaves), leaves.length));
}

async function proofOf(leaves: readonly Uint8Array[], from: number, to: number): Promise<string[]> {
  return (await consistencyPath(treeOf(leaves), from, to)).map(base64);
}

function treeOf(leaves: readonly Uint8Array[]): Subtree {
  const hash = (level: number, index: number): Uint8Array =>
    level === 0
      ? leafHash(leaves[index] as Uint8Array)
      : nodeHash(hash(level - 1, index * 2), hash(level - 1, index * 2 + 1));
  return (level, index) => Promise.resolve(hash(level, index));
}

/** What is asked of the signing proxy with the certificate of one of its clients. */
export const PROXY_FAKES: Fake<LiveKernel>[] = [
  ...fakesOf('kernel-certificate', KERNEL_CERTIFICATE),
  ...fakesOf('publisher-certificate', PUBLISHER_CERTIFICATE),
];
