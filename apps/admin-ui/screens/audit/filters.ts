/** Filters of the list of events, as they are in the address: those of `GET /kernel/audit`, and the page. */
export interface Filters {
  type?: string;
  stream?: string;
  subject?: string;
  actor?: string;
  sha256?: string;
  signerKid?: string;
  correlationId?: string;
  division?: string;
  from?: string;
  to?: string;
  /** Absent: newest first. */
  order?: 'oldest';
  cursor?: string;
}

export type FilterName = Exclude<keyof Filters, 'cursor' | 'order'>;

/** What a person may filter by, in the order of the form. */
export const FILTERS: readonly {
  readonly name: FilterName;
  readonly label: string;
  readonly example: string;
}[] = [
  { name: 'type', label: 'Type', example: 'upgrade.applied' },
  { name: 'stream', label: 'Stream', example: 'upgrade/billing-1.4.0' },
  { name: 'subject', label: 'Stream begins with', example: 'upgrade/' },
  { name: 'actor', label: 'Actor', example: 'spiffe://kernel.example.com/deploy' },
  { name: 'sha256', label: 'Digest of a manifest', example: '64 hex digits' },
  { name: 'signerKid', label: 'Signing key', example: 'audit-2026-1' },
  { name: 'correlationId', label: 'Request (correlation id)', example: 'a UUID' },
  { name: 'division', label: 'Division', example: 'product' },
  { name: 'from', label: 'From (UTC)', example: '2026-01-31T10:00:00Z' },
  { name: 'to', label: 'Before (UTC)', example: '2026-02-01T00:00:00Z' },
];

const NAMES = [...FILTERS.map(({ name }) => name), 'cursor'] as const;

/** The filters of an address; what is no filter is left out. */
export function readFilters(search: Record<string, unknown>): Filters {
  const filters: Filters = {};
  for (const name of NAMES) {
    const value = search[name];
    if (typeof value === 'string' && value.trim() !== '') filters[name] = value.trim();
  }
  if (search['order'] === 'oldest') filters.order = 'oldest';
  return filters;
}

/** The filters alone, without order and page. */
export function conditionsOf({
  cursor: _,
  order: __,
  ...conditions
}: Filters): Partial<Record<FilterName, string>> {
  return conditions;
}

/** Filters as parameters of the API, without order and page. */
export function filterQuery(filters: Filters): string {
  return new URLSearchParams(Object.entries(conditionsOf(filters))).toString();
}

/** What somebody looks for, by the looks of it. */
export type Sought =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'position'; readonly shard: number; readonly seq: number }
  | { readonly kind: 'filter'; readonly filters: Filters };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const DIGEST = /^[0-9a-f]{64}$/;
/** The contract's EventType. */
const TYPE = /^[a-z][a-z0-9_-]*\.[a-z][a-z0-9_-]*(\.v[1-9][0-9]{0,3})?$/;
const POSITION = /^(\d{1,5}):(\d{1,16})$/;

/**
 * Reads one line of search: an id, a position (`0:17`), a digest, a stream (`invoice/17`), a type (`invoice.paid`), a signing
 * key, or an actor.
 * @param kids names of the kernel's keys, which look like anything
 */
export function sought(text: string, kids: ReadonlySet<string> = new Set()): Sought | null {
  const asked = text.trim();
  if (asked === '') return null;
  if (kids.has(asked)) return { kind: 'filter', filters: { signerKid: asked } };
  const lower = asked.toLowerCase();
  if (UUID.test(lower)) return { kind: 'id', id: lower };
  if (DIGEST.test(lower)) return { kind: 'filter', filters: { sha256: lower } };
  const [, shard, seq] = POSITION.exec(asked) ?? [];
  if (shard !== undefined && seq !== undefined)
    return { kind: 'position', shard: Number(shard), seq: Number(seq) };
  if (/^[a-z][a-z0-9_-]*\/./.test(asked)) return { kind: 'filter', filters: { stream: asked } };
  if (/^[a-z][a-z0-9_-]*\/$/.test(asked)) return { kind: 'filter', filters: { subject: asked } };
  if (TYPE.test(asked)) return { kind: 'filter', filters: { type: asked } };
  return { kind: 'filter', filters: { actor: asked } };
}
