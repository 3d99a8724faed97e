import { sha256Hex } from '#evidence-crypto';
import { EventInspector } from '../chain/inspect-event';
import { parseEventParts } from '../chain/parse-event';
import { EventScanner } from '../chain/scan-event';
import { eventCorpus, FUZZ_ORIGIN } from './event-corpus.fixture';
import { fuzzSettings } from './fuzz-settings.fixture';
import { mutateJson } from './mutate-json.fixture';
import { Random } from './random.fixture';
import { scannerAgainstParser } from './scanner-against-parser.fixture';

const scan = fuzzSettings(200_000);
const inspection = fuzzSettings(10_000);

describe('EventScanner', () => {
  it(
    'accepts nothing that the parser refuses, and finds the same facts',
    () => {
      const { accepted, difference } = scannerAgainstParser(scan.cases, scan.seed);
      expect({ seed: scan.seed, difference }).toEqual({ seed: scan.seed, difference: null });
      // Enough of the mutated events are still events for the comparison to mean something.
      expect(accepted).toBeGreaterThan(scan.cases / 50);
    },
    scan.timeout,
  );

  it('accepts no string without its opening or its closing quote', () => {
    const random = new Random(2);
    const events = eventCorpus(50, random);
    // Small events that it accepts: each of their characters is taken away and replaced in turn.
    const texts = events.filter((text) => text.length < 900 && new EventScanner().scan(text) !== null);
    expect(texts.length).toBeGreaterThan(10);
    for (const text of texts) {
      for (const by of ['', 'X', ' ', '"', '\\', '\u0001']) {
        for (let at = 0; at < text.length; at++) {
          const changed = text.slice(0, at) + by + text.slice(at + 1);
          if (new EventScanner().scan(changed) !== null) expect(() => parseEventParts(changed)).not.toThrow();
        }
      }
    }
  });
});

describe('EventInspector', () => {
  it.each([
    ['without the opening quote', 'Xa"'],
    ['without the closing quote', '"a'],
    ['in single quotes', "'a'"],
    ['that is a word', 'a'],
  ])('reports an actor id %s, whoever signed and hashed it', (_, id) => {
    const [event = ''] = eventCorpus(1, new Random(5));
    const text = rehashed(event.replace(/^\{"actor":\{"id":"[^"]*"/, `{"actor":{"id":${id}`));
    const inspector = new EventInspector(FUZZ_ORIGIN, () => undefined, true);
    for (const inspection of [inspector.inspect(text), inspector.inspectWhole(text)]) {
      expect(inspection).toMatchObject({ event: null, formatted: false, faults: [{ code: 'format' }] });
    }
  });

  it(
    'never throws, whatever the bytes',
    () => {
      const random = new Random(inspection.seed);
      const corpus = eventCorpus(50, random);
      const inspector = new EventInspector(FUZZ_ORIGIN, () => undefined, true);
      const encoder = new TextEncoder();
      for (let n = 0; n < inspection.cases; n++) {
        const text = rehashed(mutateJson(random.pick(corpus), corpus, random));
        const bytes = encoder.encode(text);
        if (random.once(4)) bytes[random.below(bytes.length)] = random.below(256);
        const { event, formatted, faults } = inspector.inspectWhole(random.once(2) ? text : bytes);
        // Either it is an event, or something says why not.
        expect(event !== null && formatted).toBe(!faults.some(({ code }) => code === 'format'));
      }
    },
    inspection.timeout,
  );
});

/** The text with a hash that is right, as whoever wrote it would compute it. */
function rehashed(text: string): string {
  const [hash] = /"hash":"[0-9a-f]{64}",/.exec(text) ?? [];
  const [signature] = /"signature":"[^"]{88}",/.exec(text) ?? [];
  if (hash === undefined || signature === undefined) return text;
  const right = sha256Hex(text.replace(hash, '').replace(signature, ''));
  return text.replace(hash, `"hash":"${right}",`);
}
