import { type Archive } from '#platform/archive';
import { IntegrityFault, type StreamRecord } from '#platform/audit-stream';
import { archiveKey } from '#evidence';
import { type EventSource, type ReplayHead, type SourceBatch } from '../event-source';

/** How the streams of the key registry begin, in canonical bytes. */
const REGISTRY_STREAMS = ['"stream":"signer/', '"stream":"kernel/'];

/** Reads under way at once: enough to hide a bucket's latency. */
const READ_AHEAD = 64;
/** Events that are handed over at once. */
const BATCH = 500;
/**
 * Objects come in the order of their ids, which follow the clock to within what a request can wait in a queue. More
 * events than this behind one that has not come mean that it is missing.
 */
const MOST_WAITING = 50_000;
const MOST_WAITING_BYTES = 256 * 1024 * 1024;

const EVENT_KEY = /^audit\/\d{4}\/\d{2}\/\d{2}\/[0-9a-f-]{36}\.json$/;

/** Members of one event that the order of the archive depends on. */
interface ArchivedEvent {
  key: string;
  bytes: Uint8Array;
  shard: number;
  seq: number;
}

/**
 * The events of an archive, a folder or a bucket. It knows events by day and id, not by position: each shard is put in
 * order as it is read.
 */
export class ArchiveSource implements EventSource {
  readonly isStream = false;

  constructor(
    private readonly archive: Archive,
    readonly name: string,
    private readonly mostWaitingBytes = MOST_WAITING_BYTES,
  ) {}

  async registryEvents(): Promise<Uint8Array[]> {
    const found: Uint8Array[] = [];
    for await (const { bytes } of this.read('audit/', new AbortController().signal)) {
      // As written in canonical bytes, or in the text of a payload, which only costs a closer look.
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      if (REGISTRY_STREAMS.some((start) => text.includes(start))) found.push(bytes);
    }
    return found;
  }

  count(): Promise<null> {
    return Promise.resolve(null);
  }

  async *events(behind: readonly ReplayHead[], signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const shards = new Map(behind.map(({ shard, seq }) => [shard, new ShardOrder(shard, seq)]));
    let waiting = 0;
    let bytes = 0;
    for await (const event of this.read(firstKey(behind), signal)) {
      const order = shards.get(event.shard);
      if (order === undefined) {
        // The reader reports a shard that does not exist.
        yield { shard: event.shard, records: [recordOf(event)] };
        continue;
      }
      if (event.seq <= order.from) continue;
      order.take(event);
      waiting++;
      bytes += event.bytes.length;
      if (order.ready >= BATCH) {
        const records = order.release();
        waiting -= records.length;
        bytes -= sizeOf(records);
        yield { shard: event.shard, records };
      }
      if (bytes > this.mostWaitingBytes) {
        // Large events of many shards: only what waits for one that has not come says that it is missing.
        for (const one of shards.values()) {
          const records = one.release();
          if (records.length === 0) continue;
          waiting -= records.length;
          bytes -= sizeOf(records);
          yield { shard: one.shard, records };
        }
      }
      if (waiting > MOST_WAITING + behind.length * BATCH || bytes > this.mostWaitingBytes) {
        const late = [...shards.values()].reduce((a, b) => (b.held > a.held ? b : a));
        throw missing(this.name, late.shard, late.next);
      }
    }
    if (signal.aborted) return;
    for (const order of shards.values()) {
      const records = order.release();
      if (records.length > 0) yield { shard: order.shard, records };
      if (order.held > 0) throw missing(this.name, order.shard, order.next);
    }
  }

  /** Objects in the order of their keys, several of them on their way. */
  private async *read(after: string, signal: AbortSignal): AsyncGenerator<ArchivedEvent> {
    const underWay: Promise<ArchivedEvent>[] = [];
    for await (const { key } of this.archive.list('audit/', { after })) {
      if (signal.aborted) return;
      if (!EVENT_KEY.test(key)) continue;
      const reading = this.event(key);
      reading.catch(() => undefined);
      underWay.push(reading);
      if (underWay.length >= READ_AHEAD) yield await (underWay.shift() as Promise<ArchivedEvent>);
    }
    for (const reading of underWay) yield await reading;
  }

  private async event(key: string): Promise<ArchivedEvent> {
    const refuse = (why: string): IntegrityFault =>
      new IntegrityFault('format', -1, null, `${this.name}: ${key} ${why}.`);
    const bytes = await this.archive.get(key);
    if (bytes === null) throw refuse('was listed, and is not there');
    let event: { id: string; ts: string; shard: number; seq: number };
    try {
      event = JSON.parse(Buffer.from(bytes).toString()) as typeof event;
    } catch {
      throw refuse('is no JSON');
    }
    const { id, ts, shard, seq } = event;
    const placed = Number.isSafeInteger(shard) && Number.isSafeInteger(seq) && typeof ts === 'string';
    if (!placed || typeof id !== 'string') throw refuse('is no event');
    // Kept under another key it would be found on another day, or hide another event.
    if (archiveKey({ id, ts }) !== key)
      throw refuse(`holds event ${id} of ${ts}, whose key is ${archiveKey({ id, ts })}`);
    return { key, bytes, shard, seq };
  }

  close(): Promise<void> {
    return this.archive.close();
  }
}

/** Puts the events of one shard into the order of their positions. */
class ShardOrder {
  private readonly events = new Map<number, ArchivedEvent>();
  /** Events that come again at a position that is taken: handed over as well, so that the reader can compare them. */
  private readonly repeats: ArchivedEvent[] = [];
  private end: number;
  private released: number;

  constructor(
    readonly shard: number,
    readonly from: number,
  ) {
    this.end = from;
    this.released = from;
  }

  take(event: ArchivedEvent): void {
    if (event.seq <= this.released || this.events.has(event.seq)) {
      this.repeats.push(event);
      return;
    }
    this.events.set(event.seq, event);
    while (this.events.has(this.end + 1)) this.end++;
  }

  /** The position that everything else waits for. */
  get next(): number {
    return this.end + 1;
  }

  /** Events in order. */
  get ready(): number {
    return this.end - this.released + this.repeats.length;
  }

  /** Events that wait for one before them. */
  get held(): number {
    return this.events.size - (this.end - this.released);
  }

  release(): StreamRecord[] {
    const records: StreamRecord[] = [];
    for (; this.released < this.end; this.released++) {
      const event = this.events.get(this.released + 1) as ArchivedEvent;
      this.events.delete(this.released + 1);
      records.push(recordOf(event));
    }
    records.push(...this.repeats.splice(0).map(recordOf));
    return records;
  }
}

/** What comes behind a shard's head is not of an earlier day: time does not fall within a shard. */
function firstKey(behind: readonly ReplayHead[]): string {
  const days = behind.map(({ ts }) =>
    ts === null ? '' : archiveKey({ id: '', ts }).slice(0, -'/.json'.length),
  );
  return days.includes('') ? 'audit/' : days.reduce((a, b) => (a < b ? a : b));
}

function recordOf({ bytes, key }: ArchivedEvent): StreamRecord {
  return { bytes, nextCursor: key };
}

function sizeOf(records: readonly StreamRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function missing(name: string, shard: number, seq: number): IntegrityFault {
  return new IntegrityFault(
    'gap',
    shard,
    seq,
    `${name}: the event at position ${shard}:${seq} is missing, later ones are there.`,
  );
}
