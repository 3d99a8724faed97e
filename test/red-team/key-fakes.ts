import {
  ARCHIVE_DAY,
  type ArchiveDay,
  AUDIT_REPORT,
  type AuditReportSeal,
  parseSignedNote,
  signatureLine,
  verifyUpgradeEvidence,
  whyDayNotLinked,
} from '#evidence';
import {
  EvidenceChain,
  fakesOfAuditKeyThief,
  fakesOfUpgradeThief,
  TestSigner,
  verifyEvidence,
} from '#dev/testing';
import { type Fake, fakesOf, type Table } from './fake';
import { KernelWithEvidence } from './kernel-with-evidence';

const kernel = new KernelWithEvidence();
const { audit, stolenManifest, manifest, retiredManifest, checkpoint, stranger, origin } = kernel;
const events = kernel.chain.bytes;

const RELEASE = { id: 'release-7', version: '1' };
const OTHER = { id: 'release-7', version: '1', image: 'sha256:of-the-thief' };

const day = (more: Partial<ArchiveDay> = {}): ArchiveDay => ({
  origin,
  shard: 0,
  day: '2026-01-31',
  count: 8,
  first: { seq: 1, hash: kernel.chain.events[0]?.hash ?? '' },
  last: { seq: 8, hash: 'ab'.repeat(32) },
  previous: null,
  signedAt: '2026-02-01T00:05:00.000Z',
  ...more,
});

const seal = (more: Partial<AuditReportSeal> = {}): AuditReportSeal => ({
  origin,
  id: '0198f4c2-1b2a-7000-8000-000000000001',
  startedAt: '2026-02-01T02:00:00.000Z',
  verdict: 'clean',
  events: 24,
  findings: 0,
  report: { sha256: 'ef'.repeat(32), size: 700 },
  signedAt: '2026-02-01T02:00:07.000Z',
  ...more,
});

/** The genuine chain up to a position, and then what someone tells who has this key. */
function forked(length: number, count: number, signer: TestSigner = audit): EvidenceChain {
  const chain = (kernel.chain.fork()[0] as EvidenceChain).cut(length);
  for (let i = 0; i < count; i++) chain.append({ signer, type: 'thing.lied', payload: { lie: i } });
  return chain;
}

/** What the audit key of a kernel signs where another kind of key belongs. */
const AUDIT_KEY_ELSEWHERE: Table = [
  ['a manifest', 'key_not_valid', () => kernel.manifestFaults(OTHER, kernel.envelope(audit, OTHER))],
  [
    'a manifest with a receipt',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, kernel.envelope(audit, OTHER), 12),
  ],
  [
    'a checkpoint',
    'key_not_valid',
    async () => kernel.noteFaults(await kernel.note(events, { signer: audit })),
  ],
  [
    'a receipt',
    'key_not_valid',
    async () => {
      const fork = forked(20, 4).bytes;
      const note = await kernel.note(fork, { signer: audit });
      return kernel.receiptFaults(await kernel.receipt(21, note, fork), fork[21] as Uint8Array);
    },
  ],
  ['the manifest of a day', 'key_not_valid', () => kernel.documentFaults(ARCHIVE_DAY, audit, day())],
  ['the seal of an audit report', 'key_not_valid', () => kernel.documentFaults(AUDIT_REPORT, audit, seal())],
  [
    'another end of the chain than the head that an auditor has noted',
    'truncation',
    () => kernel.chainFaults(forked(20, 10).bytes, { expectHeads: kernel.chain.heads() }),
  ],
  [
    'an event in the place of the last one that an auditor has noted',
    'truncation',
    () => kernel.chainFaults(forked(23, 1).bytes, { expectHeads: kernel.chain.heads() }),
  ],
  [
    'an event, with the receipt of the genuine one in its place',
    'inclusion',
    async () => {
      const receipt = await kernel.receipt(21, await kernel.published());
      return kernel.receiptFaults(receipt, forked(20, 4).bytes[21] as Uint8Array);
    },
  ],
];

const MANIFEST_KEY: Table = [
  [
    'a manifest, dated today',
    'receipt_needed',
    () =>
      kernel.manifestFaults(
        OTHER,
        kernel.envelope(stolenManifest, OTHER, { signedAt: '2026-11-30T00:00:00.000Z' }),
      ),
  ],
  [
    'a manifest, dated before the theft',
    'receipt_needed',
    () =>
      kernel.manifestFaults(
        OTHER,
        kernel.envelope(stolenManifest, OTHER, {
          signedAt: '2026-01-31T10:00:04.000Z',
          auditSeqAfter: '0:4',
        }),
      ),
  ],
  [
    'a manifest, dated 2020',
    'receipt_needed',
    () =>
      kernel.manifestFaults(
        OTHER,
        kernel.envelope(stolenManifest, OTHER, { signedAt: '2020-01-01T00:00:00.000Z' }),
      ),
  ],
  [
    'a manifest that is recorded behind the end of the key',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, kernel.envelope(stolenManifest, OTHER), 17),
  ],
  [
    'a manifest that is recorded where the key is in doubt',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, kernel.envelope(stolenManifest, OTHER), 10),
  ],
  [
    'a manifest that is recorded before the key was added',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, kernel.envelope(stolenManifest, OTHER), 2),
  ],
  [
    'a manifest that is recorded in a shard that the kernel does not have',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, kernel.envelope(stolenManifest, OTHER), 5, 5),
  ],
  [
    'a manifest by a retired key, without a receipt',
    'receipt_needed',
    () => kernel.manifestFaults(OTHER, kernel.envelope(retiredManifest, OTHER)),
  ],
  [
    'a manifest by a retired key, recorded behind its end',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, kernel.envelope(retiredManifest, OTHER), 12),
  ],
  [
    'a manifest in the name of the new key',
    'signature',
    () => kernel.manifestFaults(OTHER, renamed(kernel.envelope(stolenManifest, OTHER), 'manifest-2')),
  ],
  [
    'a manifest in the name of the audit key',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, renamed(kernel.envelope(stolenManifest, OTHER), 'audit-1')),
  ],
  [
    'a manifest in the name of a key that nobody has',
    'unknown_key',
    () => kernel.manifestFaults(OTHER, renamed(kernel.envelope(stolenManifest, OTHER), 'manifest-9')),
  ],
  [
    'a manifest without the name of the key',
    'receipt_needed',
    () => kernel.manifestFaults(OTHER, renamed(kernel.envelope(stolenManifest, OTHER), '')),
  ],
  [
    'another manifest under the genuine envelope of its name and version',
    'digest',
    () => kernel.manifestFaults(OTHER, kernel.envelope(manifest, RELEASE)),
  ],
  [
    'a genuine signature over another statement',
    'signature',
    () => {
      const { signatures } = kernel.envelope(manifest, RELEASE);
      return kernel.manifestFaults(OTHER, { ...kernel.envelope(stolenManifest, OTHER), signatures });
    },
  ],
  [
    'its own signature beside a genuine one',
    'receipt_needed',
    () => {
      const own = kernel.envelope(stolenManifest, OTHER);
      const { signatures } = kernel.envelope(manifest, RELEASE);
      return kernel.manifestFaults(OTHER, { ...own, signatures: [...own.signatures, ...signatures] });
    },
  ],
  [
    'the authorisation of a deployment',
    'receipt_needed',
    () =>
      kernel.manifestFaults(
        OTHER,
        kernel.envelope(stolenManifest, OTHER, { kind: 'deployment-authorization' }),
      ),
  ],
  [
    "the genuine statement, of another kernel's origin",
    'origin',
    () =>
      kernel.manifestFaults(
        RELEASE,
        kernel.envelope(stolenManifest, RELEASE, { origin: 'kernel.example.com/other' }),
      ),
  ],
  [
    'a payload of another type',
    'payload_type',
    () =>
      kernel.manifestFaults(OTHER, kernel.enveloped(stolenManifest, Buffer.from('{}'), 'application/json')),
  ],
  [
    'a statement with one member more',
    'invalid_statement',
    () => {
      const { payload } = kernel.envelope(stolenManifest, OTHER);
      const text = Buffer.from(payload, 'base64')
        .toString()
        .replace('"subject":', '"approved":true,"subject":');
      return kernel.manifestFaults(OTHER, kernel.enveloped(stolenManifest, Buffer.from(text)));
    },
  ],
  [
    'seventeen signatures, one of them its own',
    'invalid_envelope',
    () => {
      const own = kernel.envelope(stolenManifest, OTHER);
      const signatures = Array.from({ length: 17 }, () => own.signatures[0]);
      return kernel.manifestFaults(OTHER, { ...own, signatures });
    },
  ],
  ['an event', 'unknown_key', () => kernel.chainFaults(forked(24, 1, stolenManifest).bytes)],
  [
    'an event, where the trust root has all keys',
    'key_not_valid',
    () =>
      kernel.chainFaults(
        forked(24, 1, stolenManifest).bytes,
        {},
        { ...kernel.trust(), signers: kernel.keys() },
      ),
  ],
  [
    'an event in the name of the audit key',
    'signature',
    () => kernel.chainFaults(forked(24, 1, named(stolenManifest, 'audit-1')).bytes),
  ],
  [
    'a checkpoint',
    'key_not_valid',
    async () => kernel.noteFaults(await kernel.note(events, { signer: stolenManifest })),
  ],
  ['the manifest of a day', 'key_not_valid', () => kernel.documentFaults(ARCHIVE_DAY, stolenManifest, day())],
  [
    'the seal of an audit report',
    'key_not_valid',
    () => kernel.documentFaults(AUDIT_REPORT, stolenManifest, seal()),
  ],
];

/** Unless it says otherwise, nobody has noticed the theft yet: the trust root calls the key active. */
const CHECKPOINT_KEY: Table = [
  [
    'another tree, without cosignatures',
    'quorum',
    async () => kernel.noteFaults(await kernel.note(forked(20, 4).bytes)),
  ],
  [
    'a longer tree, without cosignatures',
    'quorum',
    async () => kernel.noteFaults(await kernel.note(forked(24, 6).bytes)),
  ],
  [
    'the genuine tree, cosigned by one of the two that are needed',
    'quorum',
    async () => {
      const note = await kernel.note();
      return kernel.noteFaults(`${note}${kernel.cosignature(note, 0)}`);
    },
  ],
  [
    'another tree, with one cosignature twice',
    'quorum',
    async () => {
      const note = await kernel.note();
      const line = kernel.cosignature(note, 0);
      return kernel.noteFaults(`${note}${line}${kernel.cosignature(note, 0, undefined, 1_800_000_009)}`);
    },
  ],
  [
    'another tree, with the cosignatures of the published one',
    'signature',
    async () => {
      const published = await kernel.note();
      const note = await kernel.note(forked(20, 4).bytes);
      return kernel.noteFaults(
        `${note}${kernel.cosignature(published, 0)}${kernel.cosignature(published, 1)}`,
      );
    },
  ],
  [
    'another tree, cosigned by witnesses of its own',
    'quorum',
    async () => {
      const note = await kernel.note(forked(20, 4).bytes);
      return kernel.noteFaults(`${note}${kernel.cosignature(note, 7)}${kernel.cosignature(note, 8)}`);
    },
  ],
  [
    'another tree, cosigned in the names of the witnesses',
    'quorum',
    async () => {
      const note = await kernel.note(forked(20, 4).bytes);
      const lines = [0, 1].map((n) => kernel.cosignature(note, n, stranger));
      return kernel.noteFaults(`${note}${lines.join('')}`);
    },
  ],
  [
    'another tree, cosigned with the checkpoint key in the name of a witness',
    'quorum',
    async () => {
      const note = await kernel.note(forked(20, 4).bytes);
      const lines = [0, 1].map((n) => kernel.cosignature(note, n, checkpoint));
      return kernel.noteFaults(`${note}${lines.join('')}`);
    },
  ],
  [
    'the published checkpoint with another size',
    'signature',
    async () => kernel.noteFaults((await kernel.published()).replace('\n24\n', '\n23\n')),
  ],
  [
    'the published checkpoint with its size in another spelling',
    'invalid_checkpoint',
    async () => kernel.noteFaults((await kernel.published()).replace('\n24\n', '\n024\n')),
  ],
  [
    'the published checkpoint, and a wrong signature of the log beside the right one',
    'signature',
    async () => {
      const published = await kernel.published();
      const wrong = parseSignedNote(await kernel.note(forked(20, 4).bytes)).signatures[0];
      const [text = '', lines = ''] = published.split('\n\n');
      return kernel.noteFaults(`${text}\n\n${wrong === undefined ? '' : signatureLine(wrong)}${lines}`);
    },
  ],
  [
    'a checkpoint by a stranger in the name of the log',
    'unknown_key',
    async () => kernel.noteFaults(await kernel.note(events, { signer: stranger })),
  ],
  [
    "a checkpoint of another kernel's log",
    'origin',
    async () => {
      const note = await kernel.note(events, { origin: 'kernel.example.com/other' });
      return kernel.noteFaults(`${note}${kernel.cosignature(note, 0)}${kernel.cosignature(note, 1)}`);
    },
  ],
  [
    'a checkpoint of a shard that the kernel does not have',
    'unknown_shard',
    async () => {
      const note = await kernel.note(events, { shard: 5 });
      return kernel.noteFaults(`${note}${kernel.cosignature(note, 0)}${kernel.cosignature(note, 1)}`);
    },
  ],
  [
    'the published tree, after the theft was declared',
    'key_not_valid',
    async () => kernel.noteFaults(await kernel.published(), 'compromised'),
  ],
  [
    'another tree with cosignatures, after the theft was declared',
    'key_not_valid',
    async () => {
      const note = await kernel.note(forked(20, 4).bytes);
      return kernel.noteFaults(
        `${note}${kernel.cosignature(note, 0)}${kernel.cosignature(note, 1)}`,
        'compromised',
      );
    },
  ],
  [
    'a receipt of an event that is not in the published tree',
    'inclusion',
    async () => {
      const receipt = await kernel.receipt(21, await kernel.published());
      return kernel.receiptFaults(receipt, forked(20, 4, stranger).bytes[21] as Uint8Array);
    },
  ],
  [
    'the receipt of another event',
    'inclusion',
    async () => {
      const receipt = await kernel.receipt(3, await kernel.published());
      return kernel.receiptFaults(receipt, events[4] as Uint8Array);
    },
  ],
  [
    'the receipt of an event, with the index of another',
    'inclusion',
    async () => {
      const receipt = await kernel.receipt(3, await kernel.published());
      return kernel.receiptFaults(receipt.replace('\nindex 3\n', '\nindex 4\n'), events[4] as Uint8Array);
    },
  ],
  [
    'a receipt in a tree of its own',
    'quorum',
    async () => {
      const fork = forked(20, 4, stranger).bytes;
      const receipt = await kernel.receipt(21, await kernel.note(fork), fork);
      return kernel.receiptFaults(receipt, fork[21] as Uint8Array);
    },
  ],
  [
    'a receipt in a tree of its own, under the published checkpoint',
    'inclusion',
    async () => {
      const fork = forked(20, 4, stranger).bytes;
      const receipt = await kernel.receipt(21, await kernel.published(), fork);
      return kernel.receiptFaults(receipt, fork[21] as Uint8Array);
    },
  ],
  [
    'the manifest of a day, after the theft was declared',
    'key_not_valid',
    () => kernel.documentFaults(ARCHIVE_DAY, checkpoint, day(), { status: 'compromised' }),
  ],
  [
    'the manifest of a day of another kernel',
    'origin',
    () => kernel.documentFaults(ARCHIVE_DAY, checkpoint, day({ origin: 'kernel.example.com/other' })),
  ],
  [
    'the manifest of a day, in the place of the one that the next day names',
    'manifest',
    () => {
      const next = day({
        day: '2026-02-01',
        count: 16,
        first: { seq: 9, hash: 'cd'.repeat(32) },
        last: { seq: 24, hash: kernel.chain.events[23]?.hash ?? '' },
        previous: { day: '2026-01-31', sha256: 'ef'.repeat(32) },
        signedAt: '2026-02-02T00:05:00.000Z',
      });
      // The code with which the verifier reports it (docs/spec/archive.md, section 4).
      return whyDayNotLinked(next, { document: day(), sha256: 'ab'.repeat(32) }) === null ? [] : ['manifest'];
    },
  ],
  [
    'a clean audit report, after the theft was declared',
    'key_not_valid',
    () => kernel.documentFaults(AUDIT_REPORT, checkpoint, seal(), { status: 'compromised' }),
  ],
  [
    'a clean audit report, after the key was retired',
    'key_not_valid',
    () => kernel.documentFaults(AUDIT_REPORT, checkpoint, seal(), { status: 'retired' }),
  ],
  [
    'the seal of an audit report as the manifest of a day',
    'payload_type',
    () => kernel.faultsOfDocument(ARCHIVE_DAY, kernel.document(AUDIT_REPORT, checkpoint, seal())),
  ],
  [
    'an event',
    'key_not_valid',
    () =>
      kernel.chainFaults(forked(24, 1, checkpoint).bytes, {}, { ...kernel.trust(), signers: kernel.keys() }),
  ],
  ['a manifest', 'key_not_valid', () => kernel.manifestFaults(OTHER, kernel.envelope(checkpoint, OTHER))],
];

/** A chain that is sound in itself, and a log to go with it. Nobody has noticed the theft yet. */
const AUDIT_AND_CHECKPOINT_KEY: Table = [
  [
    'another history from its middle on, to someone who has noted a head',
    'truncation',
    () => kernel.chainFaults(forked(12, 12).bytes, { expectHeads: kernel.chain.heads() }),
  ],
  [
    'another history from its middle on, to someone who has noted a head long ago',
    'truncation',
    () =>
      kernel.chainFaults(forked(12, 30).bytes, {
        expectHeads: [{ shard: 0, seq: 13, hash: kernel.chain.events[12]?.hash ?? '' }],
      }),
  ],
  [
    'a whole other chain, founded anew with the same key',
    'truncation',
    () => kernel.chainFaults(foundedAnew(30).bytes, { expectHeads: kernel.chain.heads() }),
  ],
  [
    'a whole other chain, of a kernel with more shards',
    'founding',
    () => kernel.chainFaults(foundedAnew(30, 4).bytes),
  ],
  [
    'a whole other chain, with another first pool',
    'founding',
    () =>
      kernel.chainFaults(
        new EvidenceChain(audit, origin, 0, { firstPool: { version: 1, sha256: 'ab'.repeat(32) } })
          .found()
          .appendMany(9).bytes,
      ),
  ],
  [
    'the chain without its end',
    'truncation',
    () => kernel.chainFaults(events.slice(0, 18), { expectHeads: kernel.chain.heads() }),
  ],
  [
    'another history with a checkpoint of its own, to someone with a policy of witnesses',
    'quorum',
    async () => kernel.noteFaults(await kernel.note(forked(12, 12).bytes)),
  ],
  [
    'another history with the cosignatures of the published checkpoint',
    'signature',
    async () => {
      const published = await kernel.note();
      const note = await kernel.note(forked(12, 12).bytes);
      return kernel.noteFaults(
        `${note}${kernel.cosignature(published, 0)}${kernel.cosignature(published, 2)}`,
      );
    },
  ],
  [
    'another history as what the published checkpoint has become, with its own proof',
    'inconsistent',
    () => kernel.consistencyFaults(20, forked(12, 18).bytes, forked(12, 18).bytes),
  ],
  [
    'another history as what the published checkpoint has become, with the genuine proof',
    'inconsistent',
    () => kernel.consistencyFaults(20, forked(12, 12).bytes, events),
  ],
  [
    'another root of the size of the published checkpoint',
    'inconsistent',
    () => kernel.consistencyFaults(24, forked(12, 12).bytes, events),
  ],
  [
    'an event with a receipt in a log of its own',
    'quorum',
    async () => {
      const fork = forked(12, 12).bytes;
      const receipt = await kernel.receipt(15, await kernel.note(fork), fork);
      return kernel.receiptFaults(receipt, fork[15] as Uint8Array);
    },
  ],
  [
    'an event with the receipt of the genuine one',
    'inclusion',
    async () => {
      const receipt = await kernel.receipt(15, await kernel.published());
      return kernel.receiptFaults(receipt, forked(12, 12).bytes[15] as Uint8Array);
    },
  ],
  [
    'a receipt of the genuine event in the tree of the other history',
    'inclusion',
    async () => {
      const fork = forked(12, 12).bytes;
      const receipt = await kernel.receipt(15, await kernel.published(), fork);
      return kernel.receiptFaults(receipt, fork[15] as Uint8Array);
    },
  ],
  [
    'the manifest of a day of the other history, after both thefts were declared',
    'key_not_valid',
    () => kernel.documentFaults(ARCHIVE_DAY, checkpoint, day(), { status: 'compromised' }),
  ],
  [
    'a checkpoint of the other history, after both thefts were declared',
    'key_not_valid',
    async () => kernel.noteFaults(await kernel.note(forked(12, 12).bytes), 'compromised'),
  ],
  [
    'a manifest by the checkpoint key, recorded in the other history',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, kernel.envelope(checkpoint, OTHER), 14),
  ],
  [
    'a manifest by the stolen manifest key, recorded in the other history where it is in doubt',
    'key_not_valid',
    () => kernel.manifestFaults(OTHER, kernel.envelope(stolenManifest, OTHER), 14),
  ],
];

function foundedAnew(count: number, shards = 1): EvidenceChain {
  const chain = new EvidenceChain(audit, origin, 0, { shards }).found();
  for (let i = 0; i < count; i++) chain.append({ type: 'thing.lied' });
  return chain;
}

function renamed<T extends { signatures: object[] }>(envelope: T, keyid: string): T {
  return { ...envelope, signatures: envelope.signatures.map((one) => ({ ...one, keyid })) };
}

function named(signer: TestSigner, kid: string): TestSigner {
  return new TestSigner(kid, { seed: signer.seed });
}

/** What is said of fakes in which the key is not all that is wrong. */
const OTHER_CAUSES: Readonly<Record<string, readonly string[]>> = {
  unknown_shard: [
    'a shard that does not exist, dated 2020',
    'a shard that does not exist, dated 20 s after the compromise',
    'the first shard behind the last, 40 events',
    'a shard that does not exist, before everything else',
    'a shard of the highest number',
    'a shard that founds itself, with six shards',
    'nothing but a shard that does not exist',
  ],
  signature: [
    'the old key behind its end, in the name of the new one',
    'cut, the emergency repeated later, and the statement in the name of the new key',
    'a whole chain that founds another key under the name of the new one',
    'a whole chain, founded in the name of the new key',
  ],
  hash: ['the statement with a later position, its signature left'],
  gap: ['emergency and statement left out of the middle', 'the statement left out of the middle'],
  founding: [
    'a whole chain of its own, with six shards',
    'a whole chain without a founding',
    'a whole chain without a registry',
  ],
  format: [
    'cut, and the old key retires itself at the end',
    'cut, and the old key declares itself compromised from a later position on',
    'the old key takes its statement back',
    'the old key comes back under another name',
    'a registry event in another shard',
    'a founding in another shard',
  ],
  truncation: [
    'another shard cut where the statement says it was, and gone on',
    'another shard cut before what the signer events say',
    'another shard left out',
  ],
};

function causeOf(name: string): string {
  const [cause] = Object.entries(OTHER_CAUSES).find(([, names]) => names.includes(name)) ?? [];
  return cause ?? 'key_not_valid';
}

/** The fakes of the thief of one audit key whose compromise was handled, under the trust root that the kernel gives out. */
const afterTheCompromise: Fake[] = fakesOfAuditKeyThief().flatMap(({ kernel: robbed, fakes }) =>
  fakes.map(({ name, lines }) => ({
    thief: 'audit-key' as const,
    name,
    says: causeOf(name),
    present: () => {
      const [known] = robbed.trusts();
      if (known === undefined) throw new Error('the robbed kernel has no trust root');
      return verifyEvidence(lines, known.trust).map(({ code }) => code);
    },
  })),
);

const upgrades = fakesOfUpgradeThief();

/** The fakes of the thief of one audit key who makes evidence of upgrades, under trust roots from before the theft was known. */
const ofUpgrades: Fake[] = upgrades.fakes.map(({ name, file, says }) => {
  const word = /[a-z_]+/.exec(says.source)?.[0] ?? '';
  return {
    thief: 'audit-key' as const,
    name: `evidence of an upgrade: ${name}`,
    says: word,
    present: () => {
      const refused = upgrades.trusts.every(({ trust }) =>
        verifyUpgradeEvidence(JSON.stringify(file), trust).faults.some((fault) => says.test(fault)),
      );
      return refused ? [word] : [];
    },
  };
});

/** What is judged by evidence alone, with the private keys of a fixture. */
export const KEY_FAKES: Fake[] = [
  ...afterTheCompromise,
  ...ofUpgrades,
  ...fakesOf('audit-key', AUDIT_KEY_ELSEWHERE),
  ...fakesOf('manifest-key', MANIFEST_KEY),
  ...fakesOf('checkpoint-key', CHECKPOINT_KEY),
  ...fakesOf('audit-and-checkpoint-key', AUDIT_AND_CHECKPOINT_KEY),
];
