/** How a program of the image is started. */
export interface ImageProgram {
  /** What `--help` says of it. */
  readonly job: string;
  /** On node's own command line (docs/adr/0007): NODE_OPTIONS takes no such flag. */
  readonly nodeFlags?: readonly string[];
  /** Serves /health, /ready and /metrics. */
  readonly isManaged: boolean;
}

const GROWING_HEAP = ['--heap-growing-percent=300'];

/** Everything that the image runs, by the names that people give it: those of the folders below apps/. */
export const IMAGE_PROGRAMS: Readonly<Record<string, ImageProgram>> = {
  kernel: {
    job: 'serves the API over mutual TLS, and people on a listener of their own',
    nodeFlags: GROWING_HEAP,
    isManaged: true,
  },
  'signing-proxy': {
    job: 'signs with the keys of an HSM or a KMS',
    nodeFlags: GROWING_HEAP,
    isManaged: true,
  },
  'outbox-relay': { job: 'publishes committed events to the stream', isManaged: true },
  indexer: { job: 'fills the audit index', isManaged: true },
  archiver: { job: 'archives events as locked objects', isManaged: true },
  'log-publisher': { job: 'publishes the transparency log', isManaged: true },
  auditor: { job: 'audits chain, index and archive', isManaged: true },
  witness: { job: "cosigns other kernels' logs; also: witness init NAME", isManaged: true },
  migrate: {
    job: 'brings the database to the schema of this version; takes --check, --create-roles, --json',
    isManaged: false,
  },
};
