/**
 * - of the chain in the event store, as the workers' checks name it: `format`, `hash`, `link`, `gap`, `fork`, `signature`,
 *   `key`, `wrong_shard`; `time` (falls), `stream` (a version is missing), `columns` (they, or the event's key,
 *   differ from the canonical bytes), `head` (the store's account of a head is not where its events end)
 * - of the copies: `<copy>_missing`, `<copy>_different`, `<copy>_extra`
 * - of the manifests of days: `manifest`, `manifest_missing`
 */
export type FindingKind =
  | 'format'
  | 'hash'
  | 'link'
  | 'gap'
  | 'fork'
  | 'signature'
  | 'key'
  | 'wrong_shard'
  | 'time'
  | 'stream'
  | 'columns'
  | 'head'
  | 'index_missing'
  | 'index_different'
  | 'index_extra'
  | 'archive_missing'
  | 'archive_different'
  | 'archive_extra'
  | 'manifest'
  | 'manifest_missing';

export interface Finding {
  readonly kind: FindingKind;
  readonly shard: number | null;
  readonly seq: number | null;
  /** Name of the event, or of the object in the archive. */
  readonly subject: string | null;
  readonly message: string;
}

/** Findings that a report lists; all are counted. Ten thousand fill some 2 MB. */
const LISTED = 10_000;

export class Findings {
  readonly listed: Finding[] = [];
  readonly byKind = new Map<FindingKind, number>();
  count = 0;

  add(finding: Finding): void {
    this.count++;
    this.byKind.set(finding.kind, (this.byKind.get(finding.kind) ?? 0) + 1);
    if (this.listed.length < LISTED) this.listed.push(finding);
  }
}
