import { parseEventParts } from '../chain/parse-event';
import { EventScanner } from '../chain/scan-event';
import { eventCorpus } from './event-corpus.fixture';
import { mutateJson } from './mutate-json.fixture';
import { Random } from './random.fixture';

export interface ScannerFuzz {
  cases: number;
  /** Mutated texts that the scanner accepted; the parser accepts each with the same facts. */
  accepted: number;
  /** The first text about which the two differ, and how; null when there is none. */
  difference: { number: number; text: string; why: string } | null;
}

/** Mutated events for the scanner, and for the parser what the scanner accepts (docs/spec/audit-event.md, section 1). */
export function scannerAgainstParser(cases: number, seed: number): ScannerFuzz {
  const random = new Random(seed);
  const corpus = eventCorpus(200, random);
  let scanner = new EventScanner();
  let accepted = 0;
  for (let number = 0; number < cases; number++) {
    // What a scanner remembers of one event must not make it accept another; neither must what a new one begins with.
    if (random.once(8)) scanner = new EventScanner();
    const text = mutateJson(random.pick(corpus), corpus, random);
    const why = difference(scanner, text);
    if (why === null) continue;
    if (why !== '') return { cases: number, accepted, difference: { number, text, why } };
    accepted++;
  }
  return { cases, accepted, difference: null };
}

/** Null: the scanner does not accept it. Empty: both accept it. Otherwise how they differ. */
function difference(scanner: EventScanner, text: string): string | null {
  const scanned = scanner.scan(text);
  if (scanned === null) return null;
  try {
    const { event, hashed } = parseEventParts(text);
    const { facts, signature, type } = scanned;
    const { shard, seq, id, ts, stream, streamVersion, signerKid, prevHash, hash } = event;
    const same =
      JSON.stringify(facts) ===
      JSON.stringify({ shard, seq, id, ts, stream, streamVersion, signerKid, prevHash, hash });
    return same && hashed === scanned.hashed && signature === event.signature && type === event.type
      ? ''
      : 'the parser finds other facts';
  } catch (error) {
    return `the parser refuses it: ${String(error)}`;
  }
}
