import { isDeepStrictEqual } from 'node:util';
import { describeWith, kubeClientMissing } from '#dev/testing';
import { type Connection, CONNECTIONS, PROCESSES } from './connections';
import { RELEASE, RenderedChart } from './rendered-chart';

const COMPONENT = 'app.kubernetes.io/component';
const COMPONENTS = [...PROCESSES, 'migrate', 'smoke'];

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { readonly key: string; readonly values: readonly string[] }[];
}
interface Rule {
  readonly to?: readonly { podSelector?: Selector; namespaceSelector?: Selector }[];
  readonly from?: readonly { podSelector?: Selector; namespaceSelector?: Selector }[];
  readonly ports: readonly { readonly port: number }[];
}
interface Policy {
  readonly podSelector: Selector;
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

/** Places outside the namespace, each with peers that only it has. */
const PLACES = {
  dns: 'to',
  postgres: 'to',
  'marks-database': 'to',
  kafka: 'to',
  vault: 'to',
  s3: 'to',
  'identity-provider': 'to',
  callers: 'from',
  ingress: 'from',
  readers: 'from',
  prometheus: 'from',
} as const;
const peersOf = (place: string) => [{ namespaceSelector: { matchLabels: { place } } }];

function selected({ matchLabels = {}, matchExpressions = [] }: Selector): readonly string[] {
  const one = matchLabels[COMPONENT];
  if (one !== undefined) return [one];
  const any = matchExpressions.find(({ key }) => key === COMPONENT);
  if (any === undefined) throw new Error('A policy selects without a component.');
  return any.values;
}

/** Who the peers of a rule are. */
function named(peers: Rule['to'] = []): readonly string[] {
  const place = Object.keys(PLACES).find((one) => isDeepStrictEqual(peers, peersOf(one)));
  if (place !== undefined) return [place];
  return peers.flatMap(({ podSelector, namespaceSelector }) => {
    if (podSelector === undefined || namespaceSelector !== undefined) throw new Error('A peer of nobody.');
    return selected(podSelector);
  });
}

describeWith({ missing: kubeClientMissing() }, "the chart's network policies", () => {
  let policies: ReadonlyMap<string, Policy>;
  beforeAll(() => {
    const connections = Object.fromEntries(
      Object.entries(PLACES).map(([place, member]) => [place, { [member]: peersOf(place) }]),
    );
    policies = new Map(
      RenderedChart.of('production', { connections })
        .of('NetworkPolicy')
        .map(({ metadata, spec }) => [metadata.name.slice(RELEASE.length + 1), spec as Policy]),
    );
  });

  /** Lines as `from > to:port by policy`, of one direction. */
  const lines = (direction: 'egress' | 'ingress'): string[] => {
    const found = [...policies].flatMap(([name, policy]) =>
      (policy[direction] ?? []).flatMap((rule) =>
        selected(policy.podSelector).flatMap((own) =>
          named(direction === 'egress' ? rule.to : rule.from).flatMap((other) =>
            rule.ports.map(({ port }) => {
              const [from, to] = direction === 'egress' ? [own, other] : [other, own];
              return `${from} > ${to}:${port} by ${name}`;
            }),
          ),
        ),
      ),
    );
    return [...new Set(found)].sort();
  };
  const listed = (direction: 'egress' | 'ingress'): string[] =>
    CONNECTIONS.flatMap((line: Connection) =>
      line[direction] === null ? [] : `${line.from} > ${line.to}:${line.port} by ${line[direction]}`,
    ).sort();

  it('deny everything to everybody in the namespace first', () => {
    expect(policies.get('default-deny')).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
  });

  it.each(['egress', 'ingress'] as const)('open exactly the listed lines: %s', (direction) => {
    expect(lines(direction)).toEqual(listed(direction));
  });

  it('name no open peer, and only components that exist', () => {
    for (const [name, { ingress = [], egress = [], podSelector }] of policies) {
      if (name === 'default-deny') continue;
      expect(COMPONENTS).toEqual(expect.arrayContaining([...selected(podSelector)]));
      for (const { to, from, ports } of [...ingress, ...egress]) {
        expect((to ?? from ?? []).length).toBeGreaterThan(0);
        expect(ports.length).toBeGreaterThan(0);
      }
    }
  });

  it('let the signing proxy alone to the keys, and it to no store of the events', () => {
    const toKeys = CONNECTIONS.filter(({ to }) => to === 'vault').map(({ from }) => from);
    expect(toKeys).toEqual(['signing-proxy']);
    const proxy = lines('egress').filter((line) => line.startsWith('signing-proxy > '));
    expect(proxy).toEqual([
      'signing-proxy > dns:53 by to-dns',
      'signing-proxy > marks-database:5432 by to-marks-database',
      'signing-proxy > vault:8200 by to-vault',
    ]);
  });
});
