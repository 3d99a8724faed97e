/**
 * Who talks to whom, as docs/kubernetes.md says and the chart's network policies allow: everything that is not here is
 * denied. For values-production.yaml; tests compare it with the rendered policies and try it with enforced ones.
 */
export type Component =
  | 'kernel'
  | 'signing-proxy'
  | 'outbox-relay'
  | 'indexer'
  | 'archiver'
  | 'log-publisher'
  | 'auditor'
  | 'migrate'
  | 'smoke';
/** Outside the namespace; named as members of the chart's `connections`. */
export type Store = 'postgres' | 'marks-database' | 'kafka' | 'vault' | 's3' | 'identity-provider' | 'dns';
export type Caller = 'callers' | 'ingress' | 'readers' | 'prometheus';

export interface Connection {
  readonly from: Component | Caller;
  readonly to: Component | Store;
  readonly port: number;
  /** Policy (without the release's name before it) that lets it out; null where the source is not in the namespace. */
  readonly egress: string | null;
  /** Policy that lets it in; null where the destination is not in the namespace. */
  readonly ingress: string | null;
}

/** Every process that runs for good. */
export const PROCESSES = [
  'kernel',
  'signing-proxy',
  'outbox-relay',
  'indexer',
  'archiver',
  'log-publisher',
  'auditor',
] as const satisfies readonly Component[];

/** Ports on which components listen. */
export const LISTENERS: readonly { readonly component: Component; readonly port: number }[] = [
  { component: 'kernel', port: 8443 },
  { component: 'kernel', port: 8440 },
  { component: 'signing-proxy', port: 8445 },
  { component: 'log-publisher', port: 8459 },
  ...PROCESSES.map((component) => ({ component, port: 8444 })),
];

/** Ports of the stores, and the processes that use them. */
const STORES: readonly [Store, number, readonly Component[]][] = [
  ['postgres', 5432, ['kernel', 'outbox-relay', 'indexer', 'archiver', 'log-publisher', 'auditor']],
  ['marks-database', 5432, ['signing-proxy']],
  ['kafka', 9093, ['outbox-relay', 'indexer', 'archiver', 'log-publisher']],
  ['vault', 8200, ['signing-proxy']],
  ['s3', 443, ['kernel', 'archiver', 'log-publisher', 'auditor']],
  ['identity-provider', 443, ['kernel']],
  ['dns', 53, [...PROCESSES, 'smoke']],
];

export const CONNECTIONS: readonly Connection[] = [
  ...STORES.flatMap(([to, port, users]) =>
    users.map((from) => ({ from, to, port, egress: `to-${to}`, ingress: null })),
  ),
  { from: 'migrate', to: 'postgres', port: 5432, egress: 'migrate', ingress: null },
  { from: 'migrate', to: 'dns', port: 53, egress: 'migrate', ingress: null },
  ...(['kernel', 'archiver', 'log-publisher', 'auditor'] as const).map((from) => ({
    from,
    to: 'signing-proxy' as const,
    port: 8445,
    egress: 'to-signing-proxy',
    ingress: 'signing-proxy-from-clients',
  })),
  { from: 'smoke', to: 'kernel', port: 8443, egress: 'smoke-to-api', ingress: 'api-from-smoke' },
  { from: 'callers', to: 'kernel', port: 8443, egress: null, ingress: 'api-from-callers' },
  { from: 'ingress', to: 'kernel', port: 8440, egress: null, ingress: 'web-from-ingress' },
  { from: 'readers', to: 'log-publisher', port: 8459, egress: null, ingress: 'log-from-readers' },
  ...PROCESSES.map((to) => ({
    from: 'prometheus' as const,
    to,
    port: 8444,
    egress: null,
    ingress: 'management-from-prometheus',
  })),
];
