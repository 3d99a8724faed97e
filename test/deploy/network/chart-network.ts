import pLimit from 'p-limit';
import { parseAllDocuments } from 'yaml';
import { type TestCluster } from '#dev/testing';
import { type ChartRelease, GOOD_IMAGE } from '../chart-release';
import { type Caller, type Component, CONNECTIONS, LISTENERS, PROCESSES, type Store } from '../connections';
import { type PodNetwork } from './pod-network';
import { type Target } from './stand-in';

/** Somebody who has no business with the kernel, inside its namespace or not. */
type Stranger = 'stranger-inside' | 'stranger-outside';
/** In production one gateway takes people to the kernel, and readers to the log. */
type Outsider = Exclude<Caller, 'ingress' | 'readers'> | 'gateway';
export type Role = Component | Store | Outsider | Stranger;

/** Where those are whom values-production.yaml expects: a namespace, and labels of the pod. */
const OUTSIDE: Record<string, { namespace: string; labels?: Record<string, string>; ports: number[] }> = {
  postgres: { namespace: 'postgres', labels: { 'cnpg.io/cluster': 'kernel' }, ports: [5432, 22] },
  'marks-database': {
    namespace: 'postgres',
    labels: { 'cnpg.io/cluster': 'kernel-marks' },
    ports: [5432, 22],
  },
  kafka: { namespace: 'kafka', labels: { 'strimzi.io/cluster': 'kernel' }, ports: [9093, 22] },
  vault: { namespace: 'vault', ports: [8200, 22] },
  dns: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, ports: [53] },
  callers: { namespace: 'callers', ports: [80] },
  gateway: { namespace: 'gateways', ports: [80] },
  prometheus: { namespace: 'monitoring', labels: { 'app.kubernetes.io/name': 'prometheus' }, ports: [80] },
  'stranger-outside': { namespace: 'elsewhere', ports: [80, 443] },
};
/** Outside the cluster, by addresses within those of the values. */
const BEYOND: Record<string, { address: string; ports: number[] }> = {
  s3: { address: '10.0.64.10', ports: [443, 22] },
  'identity-provider': { address: '10.0.80.10', ports: [443, 22] },
};
const CALLER_NAMESPACE_LABELS = { 'illuvrse.dev/kernel-caller': 'production' };
/** Of every process, but no policy opens it. */
const CLOSED_PORT = 9999;
/** Members that try their connections side by side. */
const AT_ONCE = 7;
const STRANGER_INSIDE: Role = 'stranger-inside';
/** Pods of the chart that run to an end, which are not there while it runs. */
const ENDING: readonly Component[] = ['migrate', 'smoke'];

interface Member {
  readonly role: Role;
  readonly address: string;
  readonly isInside: boolean;
  readonly isPod: boolean;
  readonly targets: readonly Target[];
}

/** Everybody of a production cluster with a place in the network, and who reaches whom. */
export class ChartNetwork {
  private constructor(
    private readonly network: PodNetwork,
    private readonly members: readonly Member[],
  ) {}

  /** Makes those whom the chart expects around it, and gives all of them networks. */
  static async attach(
    cluster: TestCluster,
    release: ChartRelease,
    network: PodNetwork,
  ): Promise<ChartNetwork> {
    const namespaces = new Set(Object.values(OUTSIDE).map(({ namespace }) => namespace));
    for (const name of namespaces) {
      if (name === 'kube-system') continue;
      await cluster.addNamespace(name, name === 'callers' ? CALLER_NAMESPACE_LABELS : {});
    }
    await cluster.client.apply(
      ...Object.entries(OUTSIDE).map(([role, { namespace, labels }]) => podOf(role, namespace, labels)),
      ...(await endingPods(release)),
      podOf(STRANGER_INSIDE, release.namespace),
    );
    const members: Member[] = [];
    const add = (role: string, address: string, ports: readonly number[], isInside: boolean, isPod = true) =>
      members.push({ role: role as Role, address, isInside, isPod, targets: targetsAt(address, ports) });
    for (const component of PROCESSES) {
      const [pod] = await cluster.list(release.podsOf(component));
      const listening = LISTENERS.filter((listener) => listener.component === component);
      add(component, pod.status.podIP, [...listening.map(({ port }) => port), CLOSED_PORT], true);
    }
    const addressOf = async (name: string, namespace: string): Promise<string> =>
      (
        await cluster.until(
          `${name} runs`,
          `/api/v1/namespaces/${namespace}/pods/${name}`,
          (found) => found?.status.podIP !== undefined,
        )
      ).status.podIP;
    for (const role of [...ENDING, STRANGER_INSIDE]) {
      add(role, await addressOf(role, release.namespace), [80], true);
    }
    for (const [role, { namespace, ports }] of Object.entries(OUTSIDE)) {
      add(role, await addressOf(role, namespace), ports, false);
    }
    for (const [role, { address, ports }] of Object.entries(BEYOND)) add(role, address, ports, false, false);
    for (const { role, address, targets } of members) {
      await network.attach(
        role,
        address,
        targets.map(({ port, protocol }) => `${port}/${protocol}`),
      );
    }
    return new ChartNetwork(network, members);
  }

  /** Connections that open, as `from -> to:port/protocol`, all tried; `trouble` is what neither opened nor was dropped. */
  async tried(): Promise<{ open: string[]; trouble: string[] }> {
    const open: string[] = [];
    const trouble: string[] = [];
    // Every packet waits for a verdict: all of them at once would wait longer than they are waited for.
    const limit = pLimit(AT_ONCE);
    await Promise.all(
      this.members.map((from) =>
        limit(async () => {
          const lines = this.linesFrom(from);
          const verdicts = await this.network.connect(
            from.role,
            lines.map(({ target }) => target),
          );
          verdicts.forEach((verdict, at) => {
            const name = nameOf(from.role, lines[at]?.to.role as Role, lines[at]?.target as Target);
            if (verdict === 'open') open.push(name);
            else if (verdict !== 'dropped') trouble.push(`${name}: ${verdict}`);
          });
        }),
      ),
    );
    return { open: open.sort(), trouble: trouble.sort() };
  }

  all(): string[] {
    return this.select(() => true);
  }

  /** What opens when the policies hold, except those of this name. */
  expected(without?: string): string[] {
    return this.select((from, to, { port }) => {
      if (!from.isInside && !to.isInside) return true;
      // Nothing but default-deny is about these two: what comes to them, and what the stranger does.
      const isUnbound = (member: Member) => without === 'default-deny' && member.role === STRANGER_INSIDE;
      const isUnguarded = isUnbound(to) || (without === 'default-deny' && to.role === 'smoke');
      const lines = CONNECTIONS.filter(
        (line) => callerOf(line.from) === from.role && line.to === to.role && line.port === port,
      );
      const mayLeave =
        !from.isInside ||
        isUnbound(from) ||
        lines.some(({ egress }) => egress !== null && egress !== without);
      const mayEnter =
        !to.isInside || isUnguarded || lines.some(({ ingress }) => ingress !== null && ingress !== without);
      return mayLeave && mayEnter;
    });
  }

  private select(holds: (from: Member, to: Member, target: Target) => boolean): string[] {
    return this.members
      .flatMap((from) =>
        this.linesFrom(from)
          .filter(({ to, target }) => holds(from, to, target))
          .map(({ to, target }) => nameOf(from.role, to.role, target)),
      )
      .sort();
  }

  private linesFrom(from: Member): { to: Member; target: Target }[] {
    return this.members
      .filter((to) => to !== from)
      .flatMap((to) => to.targets.map((target) => ({ to, target })));
  }
}

function callerOf(from: Component | Caller): Role {
  return from === 'ingress' || from === 'readers' ? 'gateway' : from;
}

function nameOf(from: Role, to: Role, { port, protocol }: Target): string {
  return `${from} -> ${to}:${port}/${protocol}`;
}

function targetsAt(address: string, ports: readonly number[]): Target[] {
  return [...new Set(ports)].flatMap((port) => {
    const tcp = { address, port, protocol: 'TCP' as const };
    return port === 53 ? [tcp, { ...tcp, protocol: 'UDP' as const }] : [tcp];
  });
}

/** A pod that Pod Security "restricted" lets in. */
function podOf(name: string, namespace: string, labels: Record<string, string> = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image: GOOD_IMAGE,
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
}

/** Pods with the labels of those that the chart runs as hooks. */
async function endingPods(release: ChartRelease): Promise<object[]> {
  const hooks = parseAllDocuments(await release.kept('hooks')).map((document) => document.toJS());
  return ENDING.map((role) => {
    const hook = hooks.find(
      (object) =>
        ['Job', 'Pod'].includes(object?.kind) &&
        object.metadata.labels['app.kubernetes.io/component'] === role,
    );
    const labels = hook.spec.template?.metadata.labels ?? hook.metadata.labels;
    return podOf(role, release.namespace, labels);
  });
}
