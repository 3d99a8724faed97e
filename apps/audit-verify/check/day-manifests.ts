import {
  ARCHIVE_DAY,
  type ArchiveDay,
  archiveDayKey,
  dayOf,
  parseArchiveDayKey,
  parseDocument,
  parseEnvelope,
  parseStrictJson,
  EvidenceError,
  sha256Hex,
  verifyDocument,
  whyDayNotLinked,
  type ChainFault,
  type EventFacts,
  type TrustedSigner,
} from '#evidence';

export interface DayManifestsOptions {
  origin: string;
  /** With their spans, as far as trust root and chain tell them. */
  signers: readonly TrustedSigner[];
  /** False: signatures are not looked at (--chain-only). */
  signatures: boolean;
  /** Only this shard is verified. */
  shard: number | null;
  /** Events before this position are not verified. */
  from: number;
}

interface Manifest {
  document: ArchiveDay;
  key: string;
  sha256: string;
  /** One fault says enough about a day. */
  faulty: boolean;
  /** Its last event was seen. */
  ended: boolean;
}

/**
 * Checks the day manifests of an archive against each other and against its events (docs/spec/archive.md, section 4).
 * All manifests first, then the events by shard and position, then `finish`. Keeps some 500 bytes for each day of each
 * shard.
 */
export class DayManifestCheck {
  private readonly shards = new Map<number, Manifest[]>();
  /** Place that the events have reached. */
  private current: { shard: number; manifests: Manifest[]; at: number } | undefined;
  readonly signed: boolean;
  count = 0;

  constructor(private readonly options: DayManifestsOptions) {
    // A trust root without such a key says nothing about who may sign manifests: then they are only compared.
    this.signed =
      options.signatures && options.signers.some(({ purposes }) => purposes.includes('checkpoint'));
  }

  /** One object below `manifests/`. */
  add(key: string, bytes: Uint8Array): ChainFault[] {
    const place = parseArchiveDayKey(key);
    if (place === null) return [fault(null, null, `${key} is not the key of a day manifest`)];
    const { shard } = this.options;
    if (shard !== null && place.shard !== shard) return [];
    this.count++;
    const { document, reasons } = this.read(bytes);
    if (document === null || reasons.length > 0) {
      return [
        fault(place.shard, document?.first.seq ?? null, `${key} does not verify: ${reasons.join('; ')}`),
      ];
    }
    if (archiveDayKey(document) !== key) {
      const what = `${document.day} of shard ${document.shard}`;
      return [fault(place.shard, document.first.seq, `${key} is the manifest of ${what}`)];
    }
    const manifest = { document, key, sha256: sha256Hex(bytes), faulty: false, ended: false };
    const manifests = this.shards.get(place.shard);
    if (manifests === undefined) this.shards.set(place.shard, [manifest]);
    else manifests.push(manifest);
    return [];
  }

  /** Checks the manifests against each other, once all are added. */
  checkLinks(): ChainFault[] {
    const faults: ChainFault[] = [];
    for (const manifests of this.shards.values()) {
      manifests.sort((a, b) => (a.document.day < b.document.day ? -1 : 1));
      let before: Manifest | null = null;
      for (const manifest of manifests) {
        const wrong = whyDayNotLinked(manifest.document, before);
        if (wrong !== null) {
          faults.push(
            fault(manifest.document.shard, manifest.document.first.seq, `${manifest.key}: ${wrong}`),
          );
        }
        before = manifest;
      }
    }
    return faults;
  }

  /** Checks the next event, by shard and position. */
  event(facts: EventFacts): ChainFault[] {
    if (this.current?.shard !== facts.shard) {
      this.current = { shard: facts.shard, manifests: this.shards.get(facts.shard) ?? [], at: 0 };
    }
    const { manifests } = this.current;
    let manifest = manifests[this.current.at];
    while (manifest !== undefined && facts.seq > manifest.document.last.seq) {
      manifest = manifests[++this.current.at];
    }
    if (manifest === undefined) return this.beyond(facts, manifests.at(-1));
    const { document } = manifest;
    if (facts.seq < document.first.seq) return [];
    if (facts.seq === document.last.seq) manifest.ended = true;
    const wrong = whyNotOf(document, facts);
    if (wrong === null || manifest.faulty) return [];
    manifest.faulty = true;
    return [fault(facts.shard, facts.seq, `${manifest.key}: ${wrong}`, facts.id)];
  }

  /** Finds the manifests whose last event never came. */
  finish(): ChainFault[] {
    const faults: ChainFault[] = [];
    for (const manifests of this.shards.values()) {
      for (const { document, key, faulty, ended } of manifests) {
        if (ended || faulty || document.last.seq < this.options.from) continue;
        const { shard, last } = document;
        faults.push(
          fault(shard, last.seq, `${key} lists events up to ${shard}:${last.seq}, which is not there`),
        );
      }
    }
    return faults;
  }

  /** By shard, the last position that a signed manifest that holds names. */
  anchors(): Map<number, number> {
    const anchors = new Map<number, number>();
    if (!this.signed) return anchors;
    for (const [shard, manifests] of this.shards) {
      const last = manifests.findLast(({ ended, faulty }) => ended && !faulty);
      if (last !== undefined) anchors.set(shard, last.document.last.seq);
    }
    return anchors;
  }

  private read(bytes: Uint8Array): { document: ArchiveDay | null; reasons: string[] } {
    const { origin, signers } = this.options;
    if (this.signed) return verifyDocument(ARCHIVE_DAY, { envelope: bytes, keys: signers, origin });
    try {
      const { payload } = parseEnvelope(parseStrictJson(bytes));
      const document = parseDocument(ARCHIVE_DAY, payload);
      const foreign = document.origin !== origin;
      return { document, reasons: foreign ? [`origin: of ${document.origin}, not of ${origin}`] : [] };
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return { document: null, reasons: [`${error.code}: ${error.message}`] };
    }
  }

  /** Checks an event behind the last manifest of the shard: the first must be of a later day. */
  private beyond(facts: EventFacts, last: Manifest | undefined): ChainFault[] {
    if (last === undefined || last.faulty || facts.seq !== last.document.last.seq + 1) return [];
    if (dayOf(facts.ts) > last.document.day) return [];
    last.faulty = true;
    const { day } = last.document;
    return [
      fault(facts.shard, facts.seq, `${last.key}: an event of ${day} or before comes after it`, facts.id),
    ];
  }
}

function whyNotOf({ day, first, last }: ArchiveDay, { seq, hash, ts }: EventFacts): string | null {
  if (dayOf(ts) !== day) return `it counts an event of ${dayOf(ts)}`;
  if (seq === first.seq && hash !== first.hash) return 'its first event has another hash';
  if (seq === last.seq && hash !== last.hash) return 'its last event has another hash';
  return null;
}

function fault(
  shard: number | null,
  seq: number | null,
  message: string,
  id: string | null = null,
): ChainFault {
  return { code: 'manifest', shard, seq, id, message };
}
