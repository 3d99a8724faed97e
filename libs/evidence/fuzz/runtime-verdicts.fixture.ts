import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as evidence from '../index';
import { EventScanner } from '../chain/scan-event';
import { eventCorpus, FUZZ_ORIGIN } from './event-corpus.fixture';
import { mutateJson } from './mutate-json.fixture';
import { Random } from './random.fixture';

/**
 * Program that test/runtimes bundles and runs on every version of Node.js that the verifier promises: it prints, as JSON,
 * every verdict of this library on the vectors (folder: first argument) and on mutated events (number: second).
 */
const [folder = '', cases = '0'] = process.argv.slice(2);

const vectors = <T>(name: string): T => JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** The result, or what it is refused with. Any other error than EvidenceError ends the program. */
function verdict(action: () => unknown): unknown {
  try {
    return action() ?? null;
  } catch (error) {
    if (!(error instanceof evidence.EvidenceError)) throw error;
    const { code, pointer, message } = error;
    return { code, pointer, message };
  }
}

function ed25519(publicKey: string, message: Uint8Array, signature: Uint8Array): unknown {
  return verdict(() => evidence.verifyEd25519(evidence.importPublicKey(hex(publicKey)), message, signature));
}

function signatures(): unknown {
  interface Wycheproof {
    testGroups: { publicKey: { pk: string }; tests: { tcId: number; msg: string; sig: string }[] }[];
  }
  interface Own {
    publicKey: string;
    message: string;
    signatures: { name: string; signature: string }[];
  }
  const own = vectors<Own>('ed25519-signatures.json');
  return {
    wycheproof: vectors<Wycheproof>('published/wycheproof-ed25519.json').testGroups.flatMap(
      ({ publicKey, tests }) =>
        tests.map(({ tcId, msg, sig }) => [tcId, ed25519(publicKey.pk, hex(msg), hex(sig))]),
    ),
    edges: vectors<{ A: string; R: string; S: string; M: string }[]>('published/ed25519vectors.json').map(
      ({ A, R, S, M }) => ed25519(A, Buffer.from(M), hex(R + S)),
    ),
    own: own.signatures.map(({ name, signature }) => [
      name,
      ed25519(own.publicKey, hex(own.message), Buffer.from(signature, 'base64')),
    ]),
    keys: vectors<{ publicKey: string }[]>('public-keys.json').map(({ publicKey }) =>
      verdict(() => evidence.checkRawPublicKey(hex(publicKey))),
    ),
  };
}

function documents(): unknown {
  const json = ['json-accepted.json', 'json-refused.json'].flatMap((name) =>
    vectors<{ input: string }[]>(name).map(({ input }) =>
      verdict(() => evidence.canonicalize(evidence.parseStrictJson(hex(input)))),
    ),
  );
  const numbers = vectors<{ bits: string }[]>('json-numbers.json').map(({ bits }) =>
    verdict(() => evidence.canonicalize(hex(bits).readDoubleBE())),
  );
  interface Approval {
    record: evidence.ApprovalRecord;
    signature: evidence.ApprovalSignature;
    key: evidence.ApproverKey;
  }
  const approvals = vectors<{ signatures: Approval[] }>('approvals.json').signatures.map(
    ({ record, signature, key }) => verdict(() => evidence.verifyApproval(record, signature, key)),
  );
  const pools = vectors<{ pool: evidence.JsonValue }[]>('approver-pools.json').map(({ pool }) =>
    verdict(() => evidence.readApproverPool(pool)),
  );
  return { json, numbers, approvals, pools };
}

function mutatedEvents(): unknown {
  const random = new Random(1);
  const corpus = eventCorpus(100, random);
  const scanner = new EventScanner();
  const inspector = new evidence.EventInspector(FUZZ_ORIGIN, () => undefined, true);
  const verdicts: unknown[] = [];
  for (let n = 0; n < Number(cases); n++) {
    const text = mutateJson(random.pick(corpus), corpus, random);
    verdicts.push([evidence.sha256Hex(text), scanner.scan(text) !== null, inspector.inspect(text)]);
  }
  return verdicts;
}

process.stdout.write(
  JSON.stringify({ signatures: signatures(), documents: documents(), mutatedEvents: mutatedEvents() }),
);
