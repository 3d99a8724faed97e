/** The report of an audit (docs/spec/archive.md, section 3), as far as a page shows it. */
export interface AuditReport {
  readonly origin: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly events: number;
  /** Objects of the archive. */
  readonly objects: number;
  readonly shards: readonly ReportShard[];
  readonly findings: {
    readonly count: number;
    /** Most first. */
    readonly byKind: readonly (readonly [kind: string, count: number])[];
    readonly listed: readonly ReportFinding[];
  };
}

export interface ReportShard {
  readonly shard: number;
  readonly head: { readonly seq: number; readonly hash: string };
  readonly indexed: number;
  readonly archived: number;
  readonly manifests: number;
}

export interface ReportFinding {
  readonly kind: string;
  readonly shard: number | null;
  readonly seq: number | null;
  readonly subject: string | null;
  readonly message: string;
}

/** Reads a report that may be anyone's; null when it is none, or of a form that this page does not know. */
export function readReport(text: string): AuditReport | null {
  try {
    const value = JSON.parse(text) as unknown;
    const report = members(value);
    const findings = members(report['findings']);
    const byKind = Object.entries(members(findings['byKind']));
    return {
      origin: string(report['origin']),
      startedAt: string(report['startedAt']),
      finishedAt: string(report['finishedAt']),
      events: number(report['events']),
      objects: number(report['objects']),
      shards: list(report['shards']).map((one) => {
        const { shard, head, indexed, archived, manifests } = members(one);
        const { seq, hash } = members(head);
        return {
          shard: number(shard),
          head: { seq: number(seq), hash: string(hash) },
          indexed: number(indexed),
          archived: number(archived),
          manifests: number(manifests),
        };
      }),
      findings: {
        count: number(findings['count']),
        byKind: byKind.map(([kind, count]) => [kind, number(count)] as const).sort(([, a], [, b]) => b - a),
        listed: list(findings['listed']).map((one) => {
          const { kind, shard, seq, subject, message } = members(one);
          return {
            kind: string(kind),
            shard: orNull(number, shard),
            seq: orNull(number, seq),
            subject: orNull(string, subject),
            message: string(message),
          };
        }),
      },
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The event that a finding is about, where the event store can be asked for it; null for any other. */
export function eventOf({ kind, subject }: ReportFinding): string | null {
  // What is extra is in a copy alone.
  return subject !== null && UUID.test(subject) && !kind.endsWith('_extra') ? subject : null;
}

/** The position of a finding without an event's id; null where it has none. */
export function positionOf(finding: ReportFinding): { shard: number; seq: number } | null {
  const { kind, shard, seq } = finding;
  // A gap is where nothing is.
  if (shard === null || seq === null || kind === 'gap' || kind.endsWith('_extra')) return null;
  return eventOf(finding) === null ? { shard, seq } : null;
}

function members(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new TypeError('no object');
}

function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new TypeError('no list');
}

function string(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError('no text');
}

function number(value: unknown): number {
  if (typeof value === 'number') return value;
  throw new TypeError('no number');
}

function orNull<T>(read: (value: unknown) => T, value: unknown): T | null {
  return value === null ? null : read(value);
}
