import { randomBytes, randomInt } from 'node:crypto';
import { shardOf } from '#platform/event-store';

/** Requests that a load generator sends. Plain data, since it is passed to another process. */
export type Workload =
  /** POST /kernel/sign, each time with a new manifest that has its own id. */
  | { kind: 'sign' }
  /** POST /kernel/audit with this many events spread over streams. */
  | { kind: 'audit'; events: number }
  /** GET /kernel/audit/{id}, cycling through the ids from a random start. */
  | { kind: 'fetch'; ids: readonly string[] }
  /** GET /kernel/audit/{id}/receipt, likewise. */
  | { kind: 'receipt'; ids: readonly string[] }
  /** GET /kernel/audit: the newest page as a person sees it, of one type of event in turn with all. */
  | { kind: 'list'; type: string }
  /** POST of the same manifests' digests to a transit engine (Vault, OpenBao): `path` names the key. */
  | { kind: 'transit'; path: string; token: string }
  /** POST /add of a Tessera log with an entry about as large as an event. */
  | { kind: 'tessera' };

export interface NextRequest {
  method: 'GET' | 'POST';
  path: string;
  body: string | Buffer | null;
  /** Beside the media type: names and values in turn. */
  headers?: string[];
  /** Any other status counts as an error. */
  expected: number;
}

/** Bodies prepared for a batch workload: building a new one each time would measure the generator. */
const PREPARED_BATCHES = 32;
/** Bytes of an entry of another log: those of an event of the batches. */
const ENTRY_BYTES = 900;
/** Streams that batches write to. */
const STREAMS = 2_000;

/** Shards that a caller's requests are for. */
export interface Placing {
  /** How many the kernel has. */
  readonly shards: number;
  /** The ones of this caller. */
  readonly among: readonly number[];
}

const ONE_SHARD: Placing = { shards: 1, among: [0] };

/** Returns a function that makes one request after another. */
export function requestsOf(workload: Workload, placing = ONE_SHARD): () => NextRequest {
  switch (workload.kind) {
    case 'sign':
      return () => ({ method: 'POST', path: '/kernel/sign', body: manifestBody(placing), expected: 200 });
    case 'audit': {
      const bodies = Array.from({ length: PREPARED_BATCHES }, () => batchBody(workload.events, placing));
      let next = 0;
      return () => ({
        method: 'POST',
        path: '/kernel/audit',
        body: bodies[next++ % bodies.length] ?? null,
        expected: 201,
      });
    }
    case 'transit': {
      const headers = ['x-vault-token', workload.token];
      return () => ({
        method: 'POST',
        path: workload.path,
        body: `{"input":"${randomBytes(32).toString('base64')}"}`,
        headers,
        expected: 200,
      });
    }
    case 'tessera':
      return () => ({ method: 'POST', path: '/add', body: randomBytes(ENTRY_BYTES), expected: 200 });
    case 'list': {
      const paths = ['/kernel/audit?limit=50', `/kernel/audit?limit=50&type=${workload.type}`];
      let next = 0;
      return () => ({ method: 'GET', path: paths[next++ % paths.length] ?? '', body: null, expected: 200 });
    }
    case 'fetch':
    case 'receipt': {
      const { ids } = workload;
      const behind = workload.kind === 'receipt' ? '/receipt' : '';
      let next = Math.floor(Math.random() * ids.length);
      return () => ({
        method: 'GET',
        path: `/kernel/audit/${ids[next++ % ids.length]}${behind}`,
        body: null,
        expected: 200,
      });
    }
  }
}

/** About 560 bytes: an agent's manifest with a random id, so that no index profits from neighbouring names. */
function manifestBody({ shards, among }: Placing): string {
  let id: string;
  do id = randomBytes(12).toString('hex');
  while (!among.includes(shardOf(`manifest/agent-${id}`, shards)));
  return `{"manifest":{"manifestId":"agent-${id}","version":"1.4.${id.charCodeAt(0)}","kind":"agent","target":"catalog-ranker","rationale":"Raise the learning rate of the ranking stage after the offline evaluation of week 46; the change is reversible and limited to the experiment named below.","limits":{"cpu":4,"memoryGiB":16,"budgetPerDay":120.5,"regions":["eu-central","us-east"]},"inputs":[{"name":"catalog","sha256":"${id}${id}0123456789abcdef"},{"name":"weights","sha256":"fedcba9876543210${id}${id}"}],"enabled":true,"expires":"2027-01-31T10:00:00.000Z"}}`;
}

/** Events with about 250 bytes of payload, in streams of one shard, as the events of a request must be. */
function batchBody(events: number, { shards, among }: Placing): Buffer {
  const shard = among[randomInt(among.length)];
  const streams = Array.from({ length: STREAMS }, (_, n) => `order/${n}`).filter(
    (stream) => shardOf(stream, shards) === shard,
  );
  const list = Array.from({ length: events }, () => {
    const id = randomBytes(8).toString('hex');
    const stream = streams[randomInt(streams.length)];
    return `{"type":"order.allocated","stream":"${stream}","payload":{"order":"${id}","warehouse":"hamburg-2","lines":[{"sku":"A-${id}","quantity":3},{"sku":"B-${id}","quantity":1}],"carrier":"rail","promisedBy":"2026-12-01T12:00:00.000Z","note":"allocated by the nightly run, no manual change"}}`;
  });
  return Buffer.from(`{"events":[${list.join(',')}]}`);
}
