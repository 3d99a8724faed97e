import { type Metrics } from './gather/metrics-text';

/** Something that was looked at; that could not be; or that nobody has said where it is. */
export type Looked<T> =
  | { readonly kind: 'seen'; readonly value: T }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'not asked'; readonly why: string };

export interface Answer {
  /** HTTP status; 0 when nothing answered. */
  readonly status: number;
  readonly text: string;
  /** The answer's Date, milliseconds since the epoch, beside the time here in the middle of the request. */
  readonly clock?: { readonly there: number; readonly here: number };
}

/** The management address of one process. */
export interface Endpoint {
  /** kernel, kernel-2, outbox-relay, ... */
  readonly name: string;
  readonly url: string;
  readonly health: Answer;
  readonly ready: Answer;
  /** The checks of /ready that fail, with their messages. */
  readonly failing: Readonly<Record<string, string>>;
  /** Null when there was no answer. */
  readonly metrics: Metrics | null;
  /** The same a moment before, to see what changes. */
  readonly earlier: Metrics | null;
}

/** A process of a state folder, as its supervisor recorded it. */
export interface Service {
  readonly name: string;
  readonly state: string;
  readonly pid: number | null;
  readonly restarts: number;
  readonly url: string;
}

export interface Run {
  readonly state: string;
  /** There was a chain once. */
  readonly established: boolean;
  readonly supervised: boolean;
  readonly services: readonly Service[];
  /** Files without which the chain of the folder cannot go on. */
  readonly missing: readonly string[];
}

export interface PortFact {
  readonly port: number;
  readonly purpose: string;
  /** The process that should have it does not run. */
  readonly taken: boolean;
}

export interface DiskFact {
  readonly folder: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** In the words of /ready; null while there is room. */
  readonly problem: string | null;
  /** Why nothing can be written, other than for want of room. */
  readonly refused: string | null;
}

export interface CertificateFact {
  readonly file: string;
  readonly kind: 'certificate' | 'revocation list' | 'unreadable';
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly problem?: string;
}

export interface PrivateFileFact {
  readonly file: string;
  readonly mode: number;
}

export interface LogGroup {
  readonly message: string;
  readonly count: number;
  readonly last: string;
}

export interface LogFact {
  readonly name: string;
  readonly file: string;
  /** Lines at level error or fatal of the last minutes, grouped by message. */
  readonly errors: readonly LogGroup[];
}

export interface DatabaseFacts {
  readonly name: string;
  readonly role: string;
  /** The server's time minus the time here, ms. */
  readonly clockAheadMs: number;
  /** What this role may not read. */
  readonly refused: readonly string[];
  readonly chain: { readonly origin: string; readonly shards: number; readonly createdAt: number } | null;
  readonly mode: { readonly mode: string; readonly restoring: boolean; readonly reason: string } | null;
  readonly heads: readonly { readonly shard: number; readonly seq: number; readonly ts: number | null }[];
  /** How far each reader of a shard is; `ageSeconds` of the oldest event that it lacks. */
  readonly behind: readonly {
    readonly reader: string;
    readonly shard: number;
    readonly events: number;
    readonly ageSeconds: number;
  }[];
  readonly lastAudit: {
    readonly id: string;
    readonly startedAt: number;
    readonly outcome: string;
    readonly findings: number;
    readonly message: string | null;
  } | null;
  readonly connections: { readonly used: number; readonly max: number };
  readonly oldestTransactionSeconds: number;
  /** Transactions until identifiers would run out, as a part of what there is: 0 to 1. */
  readonly transactionIdsUsed: number;
}

export interface SchemaFacts {
  /** Migrations of this version that the database lacks, and of the database that this version does not know. */
  readonly missing: readonly string[];
  readonly unknown: readonly string[];
  /** Sentences of `migrate --check`; undefined when only the owner's role could tell. */
  readonly problems?: readonly string[];
}

export interface OpenBaoFact {
  readonly url: string;
  readonly sealed: boolean;
  readonly initialized: boolean;
}

export interface ProgramFacts {
  readonly node: string;
  /** The range in `engines` of package.json. */
  readonly leastNode: string;
  readonly build: { readonly digest: string; readonly movedOn: boolean } | null;
}

export interface SignersFact {
  readonly file: string;
  /** Sentences: what differs between file and registry. */
  readonly differences: readonly string[];
}

/** What a person may set; the defaults are those of the alerts. */
export interface Limits {
  /** Longest that index, archive, log and relay may be behind. */
  readonly behindSeconds: number;
  readonly certificateDays: number;
  /** Least free part of a disk. */
  readonly diskFreePercent: number;
  readonly auditHours: number;
  readonly backupHours: number;
  readonly clockSeconds: number;
  readonly slowSignatureSeconds: number;
}

export const DEFAULT_LIMITS: Limits = {
  behindSeconds: 60,
  certificateDays: 14,
  diskFreePercent: 10,
  auditHours: 26,
  backupHours: 26,
  clockSeconds: 5,
  slowSignatureSeconds: 1,
};

/** Everything that the checks judge. Gathered once, each part bounded in time. */
export interface Facts {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly limits: Limits;
  readonly run: Looked<Run>;
  readonly endpoints: Looked<readonly Endpoint[]>;
  readonly ports: Looked<readonly PortFact[]>;
  readonly database: Looked<DatabaseFacts>;
  readonly schema: Looked<SchemaFacts>;
  readonly kafka: Looked<readonly { readonly broker: string; readonly problem: string | null }[]>;
  readonly archive: Looked<{ readonly name: string; readonly problem: string | null }>;
  readonly openBao: Looked<OpenBaoFact>;
  readonly disks: Looked<readonly DiskFact[]>;
  readonly certificates: Looked<readonly CertificateFact[]>;
  readonly privateFiles: Looked<readonly PrivateFileFact[]>;
  readonly logs: Looked<readonly LogFact[]>;
  readonly signers: Looked<SignersFact>;
  readonly program: Looked<ProgramFacts>;
}

/** Parts of the facts that are looked at, or not. */
export const PARTS = [
  ...['run', 'endpoints', 'ports', 'database', 'schema', 'kafka', 'archive', 'openBao', 'disks'],
  ...['certificates', 'privateFiles', 'logs', 'signers', 'program'],
] as const as readonly Exclude<keyof Facts, 'at' | 'limits'>[];

/** The value, where it was seen. */
export function seen<T>(looked: Looked<T>): T | undefined {
  return looked.kind === 'seen' ? looked.value : undefined;
}
