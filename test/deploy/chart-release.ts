import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { customResourceDefinitions, type ProgramResult, type TestCluster, workTree } from '#dev/testing';

export const CHART = join(workTree(), 'k8s/chart');
export const ENVIRONMENTS = ['dev', 'staging', 'production'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];
export const RELEASE = 'illuvrse-kernel';
/** Every process of the chart that runs on, and its replicas in staging. */
export const REPLICAS = {
  kernel: 3,
  'signing-proxy': 2,
  'outbox-relay': 2,
  indexer: 2,
  archiver: 1,
  'log-publisher': 2,
  auditor: 1,
} as const;
export type Component = keyof typeof REPLICAS;
export const COMPONENTS = Object.keys(REPLICAS) as Component[];

export const RESTRICTED = {
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/warn': 'restricted',
};
const ZONES = ['a', 'b', 'c'];
export const SIGNING_NODE = 'node-signing';

export const image = (digest: string): string => `registry.example.com/illuvrse/kernel@${digest}`;
export const GOOD_IMAGE = image(`sha256:${'a'.repeat(64)}`);

/** Arguments of helm that give the chart an environment's values, and what comes with a release. */
export function valuesOf(environment: Environment, ofImage = GOOD_IMAGE): string[] {
  return [
    `--values=${join(CHART, `values-${environment}.yaml`)}`,
    `--set=image=${ofImage}`,
    `--set-string=trustRoot.signersJson={"signers":[]}`.replace(/[{}]/g, '\\$&'),
  ];
}

/** Nodes in three zones and one for signing; the definitions of custom resources; the namespace, "restricted". */
export async function prepareCluster(cluster: TestCluster, environment: Environment): Promise<string> {
  for (const zone of ZONES) {
    await cluster.addNode(`node-${zone}`, { 'topology.kubernetes.io/zone': zone });
  }
  await cluster.addNode(SIGNING_NODE, {
    'topology.kubernetes.io/zone': 'a',
    'illuvrse.dev/signing': 'true',
  });
  await addDefinitions(cluster);
  const namespace = `illuvrse-kernel-${environment}`;
  await cluster.addNamespace(namespace, RESTRICTED);
  return namespace;
}

/** Makes the custom resources known, and waits until the API server serves them. */
export async function addDefinitions({ client }: TestCluster): Promise<void> {
  const files = readdirSync(customResourceDefinitions()).map((file) =>
    join(customResourceDefinitions(), file),
  );
  await client.kubectl(['apply', '--server-side', ...files.map((file) => `--filename=${file}`)]);
  await client.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
}

/** The chart in one namespace, as those see it who operate it. */
export class ChartRelease {
  constructor(
    private readonly cluster: TestCluster,
    readonly namespace: string,
    private readonly environment: Environment,
  ) {}

  install(args: readonly string[] = []): Promise<ProgramResult> {
    return this.helm('install', CHART, ...valuesOf(this.environment), '--wait', '--timeout=120s', ...args);
  }

  upgrade(ofImage: string, ...args: readonly string[]): Promise<ProgramResult> {
    return this.helm('upgrade', CHART, ...valuesOf(this.environment, ofImage), ...args);
  }

  helm(command: string, ...args: readonly string[]): Promise<ProgramResult> {
    return this.cluster.client.run('helm', [command, RELEASE, `--namespace=${this.namespace}`, ...args]);
  }

  /** What Helm keeps of the release. */
  async kept(what: 'hooks' | 'manifest'): Promise<string> {
    return this.cluster.client.helm(['get', what, RELEASE, `--namespace=${this.namespace}`]);
  }

  kubectl(...args: readonly string[]): Promise<ProgramResult> {
    return this.cluster.client.run('kubectl', [`--namespace=${this.namespace}`, ...args]);
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- objects of Kubernetes have no types here
  async deployment(component: Component): Promise<any> {
    return this.cluster.get(`/apis/apps/v1/namespaces/${this.namespace}/deployments/${RELEASE}-${component}`);
  }

  /** Pods of a component that are ready, by name; those on their way out are none. */
  async ready(component: string): Promise<string[]> {
    const pods = await this.cluster.list(this.podsOf(component));
    return pods
      .filter(({ metadata, status }) => {
        const isReady = (status.conditions ?? []).some(
          ({ type, status: is }: { type: string; status: string }) => type === 'Ready' && is === 'True',
        );
        return isReady && metadata.deletionTimestamp === undefined;
      })
      .map(({ metadata }) => metadata.name as string)
      .sort();
  }

  podsOf(component: string): string {
    return `/api/v1/namespaces/${this.namespace}/pods?labelSelector=app.kubernetes.io/component%3D${component}`;
  }

  /** @returns the status with which the API server answers */
  async evict(pod: string): Promise<{ status: number; message: string }> {
    const { status, json } = await this.cluster.api.post(
      `/api/v1/namespaces/${this.namespace}/pods/${pod}/eviction`,
      { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: this.namespace } },
    );
    return { status, message: String(json.message ?? '') };
  }
}
