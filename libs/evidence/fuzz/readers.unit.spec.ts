import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as evidence from '../index';
import { parseEnvelope } from '../manifests/dsse';
import { readCoseKey } from '../keys/cose-key';
import { fuzzSettings } from './fuzz-settings.fixture';
import { mutateJson } from './mutate-json.fixture';
import { mutateValue } from './mutate-value.fixture';
import { Random } from './random.fixture';

const FOLDER = join(__dirname, '../../../docs/spec/vectors');
/** What one input may take, on a machine that does other work too. */
const SLOWEST_MS = 2_000;

const readers = fuzzSettings(20_000);
const bundles = fuzzSettings(600);

type JsonValue = evidence.JsonValue;

function vectors(name: string): JsonValue {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as JsonValue;
}

/** Every text in some vectors; texts of an object in it as its JSON too. */
function texts(...names: string[]): string[] {
  const found = new Set<string>();
  const visit = (value: JsonValue): void => {
    if (typeof value === 'string') found.add(value);
    else if (typeof value === 'object' && value !== null) {
      const text = JSON.stringify(value);
      if (text.length < 4_000) found.add(text);
      Object.values(value).forEach(visit);
    }
  };
  for (const name of names) visit(vectors(name));
  return [...found].filter((text) => text.length < 20_000);
}

/** Runs a reader; any error but EvidenceError fails, with the input. */
function survives(read: () => unknown, input: () => string): void {
  const start = performance.now();
  try {
    read();
  } catch (error) {
    if (!(error instanceof evidence.EvidenceError)) {
      throw new Error(`${String(error)} on ${input()}`, { cause: error });
    }
  }
  const took = performance.now() - start;
  if (took > SLOWEST_MS) throw new Error(`${took} ms on ${input()}`);
}

const encoder = new TextEncoder();
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const json = (read: (value: JsonValue) => unknown) => (text: string) => read(evidence.parseStrictJson(text));
const log = ['log-notes.json', 'log-policies.json'];
const approvals = ['approvals.json'];

const READERS: [name: string, files: string[], read: (text: string) => unknown][] = [
  ['strict JSON', ['json-accepted.json', 'approvals.json'], evidence.parseStrictJson],
  ['signers.json', ['upgrade-evidence/signers.json', 'chains/signers.json'], evidence.parseSignersFile],
  ['a pool', ['approver-pools.json'], json(evidence.readApproverPool)],
  ['an approval record', approvals, evidence.parseApprovalRecord],
  ['an approval to sign', approvals, (text) => evidence.parseApprovalSigningInput(encoder.encode(text))],
  ['an approval signature', approvals, json(evidence.readApprovalSignature)],
  ['an envelope', ['manifest-envelopes.json', 'kernel-documents.json'], json(parseEnvelope)],
  [
    'a manifest to sign',
    ['manifest-signatures.json'],
    (text) => evidence.parseManifestSigningInput(encoder.encode(text)),
  ],
  [
    'a statement',
    ['manifest-signatures.json'],
    (text) => evidence.parseManifestStatement(encoder.encode(text)),
  ],
  [
    'a day manifest',
    ['kernel-documents.json'],
    (text) => evidence.parseDocument(evidence.ARCHIVE_DAY, encoder.encode(text)),
  ],
  [
    'an event to sign',
    ['audit-events.json'],
    (text) => evidence.parseAuditSigningInput(encoder.encode(text)),
  ],
  [
    'a proof of possession',
    ['signer-possession.json'],
    (text) => evidence.parseSignerPossessionInput(encoder.encode(text)),
  ],
  ['a checkpoint to sign', log, (text) => evidence.parseCheckpointSigningInput(encoder.encode(text))],
  ['a signed note', log, evidence.parseSignedNote],
  ['a key of a note', log, evidence.parseNoteKey],
  ['a policy', log, evidence.parseLogPolicy],
  ['a request to a witness', log, evidence.parseAddCheckpoint],
  ['a proof of inclusion', [...log, 'upgrade-evidence/01.json'], evidence.parseLogProof],
  ['a COSE key', ['approver-pools.json'], (text) => readCoseKey(evidence.base64Decode(text) ?? latin1(text))],
  ['a PEM key', ['upgrade-evidence/signers.json'], evidence.rawKeyOfPem],
];

describe('a reader refuses with an EvidenceError or reads, in bounded time', () => {
  it.each(READERS)(
    '%s',
    (_, files, read) => {
      const random = new Random(readers.seed);
      const corpus = texts(...files);
      expect(corpus.length).toBeGreaterThan(0);
      for (const text of corpus)
        survives(
          () => read(text),
          () => text,
        );
      for (let n = 0; n < readers.cases / 10; n++) {
        const text = mutateJson(random.pick(corpus), corpus, random);
        survives(
          () => read(text),
          () => JSON.stringify(text),
        );
      }
      // Long runs of whatever a reader repeats over.
      for (const unit of [
        '[',
        '{"a":',
        ' ',
        '\n',
        '—',
        '— a AAAA\n',
        '=',
        'AAAA',
        '0',
        '9',
        '\\',
        '"',
        'e',
        '-',
        '+',
        '/',
        '\r\n',
      ]) {
        for (const before of ['', '"', random.pick(corpus)]) {
          const text = before + unit.repeat(100_000);
          survives(
            () => read(text),
            () => `${JSON.stringify(before)} and 100,000 times ${JSON.stringify(unit)}`,
          );
        }
      }
    },
    readers.timeout,
  );

  it(
    'a COSE key, byte by byte',
    () => {
      const random = new Random(readers.seed);
      const keys = texts('approver-pools.json').flatMap((text) => {
        const bytes = evidence.base64Decode(text);
        return bytes !== null && bytes.length > 40 && bytes.length < 100 ? [bytes] : [];
      });
      expect(keys.length).toBeGreaterThan(0);
      for (let n = 0; n < readers.cases; n++) {
        const bytes = Uint8Array.from(random.pick(keys));
        for (let k = random.from(1, 3); k > 0; k--) bytes[random.below(bytes.length)] = random.below(256);
        survives(
          () => readCoseKey(bytes),
          () => Buffer.from(bytes).toString('hex'),
        );
      }
    },
    readers.timeout,
  );
});

describe('verifyUpgradeEvidence', () => {
  it(
    'never throws, whatever its events say',
    () => {
      const random = new Random(bundles.seed);
      const { origin } = vectors('upgrade-evidence.json') as { origin: string };
      const signers = evidence.parseSigners(readFileSync(join(FOLDER, 'upgrade-evidence/signers.json')));
      const files = readdirSync(join(FOLDER, 'upgrade-evidence'))
        .filter((name) => /^\d+\.json$/.test(name))
        .map((name) => readFileSync(join(FOLDER, 'upgrade-evidence', name), 'utf8'));
      const wholes = files.flatMap((file) => {
        try {
          return [evidence.parseStrictJson(file)];
        } catch {
          return [];
        }
      });
      for (let n = 0; n < bundles.cases; n++) {
        const bundle = structuredClone(random.pick(wholes)) as Record<string, JsonValue>;
        const file = random.once(4) ? mutateValue(bundle, random) : withOtherEvent(bundle, random);
        const text = random.once(8) ? mutateJson(JSON.stringify(file), files, random) : JSON.stringify(file);
        survives(
          () => {
            const verdict = evidence.verifyUpgradeEvidence(text, { signers, origin });
            expect(Array.isArray(verdict.faults)).toBe(true);
          },
          () => `case ${n} of seed ${bundles.seed}`,
        );
      }
    },
    bundles.timeout * 20,
  );
});

/** The bundle with another value somewhere in one of its events: canonical, hashed, and not signed by anyone. */
function withOtherEvent(bundle: Record<string, JsonValue>, random: Random): JsonValue {
  const list = bundle[random.pick(['events', 'pool', 'signers'])];
  if (!Array.isArray(list) || list.length === 0) return bundle;
  const at = random.below(list.length);
  const line = list[at];
  if (typeof line !== 'string') return bundle;
  try {
    const event = evidence.parseStrictJson(line) as Record<string, JsonValue>;
    const other = { ...event, payload: mutateValue(event['payload'] ?? null, random) } as Record<
      string,
      JsonValue
    >;
    const { group: _, hash: __, signature: ___, ...hashed } = other;
    list[at] = evidence.canonicalize({ ...other, hash: evidence.sha256Hex(evidence.canonicalize(hashed)) });
  } catch {
    // A line that is no event, or a value that no JSON can hold.
  }
  return bundle;
}
