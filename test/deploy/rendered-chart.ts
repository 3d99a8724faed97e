import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { kubeProgram, workTree } from '#dev/testing';

export type Environment = 'dev' | 'staging' | 'production';
export const ENVIRONMENTS: readonly Environment[] = ['dev', 'staging', 'production'];
export const RELEASE = 'illuvrse-kernel';
export const IMAGE = `registry.example.com/illuvrse/kernel@sha256:${'5'.repeat(64)}`;
/** What every installation gives beside the values of its environment. */
const GIVEN = { image: IMAGE, trustRoot: { configMap: 'kernel-trust-root' } };

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // The rest depends on the kind; tests ask for what they look at.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a document of any kind
  readonly [member: string]: any;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly resources: Readonly<Record<'requests' | 'limits', Readonly<Record<string, string>>>>;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly [Container];
  readonly initContainers?: readonly Container[];
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a volume is of one of many kinds
  readonly volumes: readonly ({ readonly name: string } & Readonly<Record<string, any>>)[];
}

/** What Helm makes of the chart, without a cluster. */
export class RenderedChart {
  private constructor(readonly objects: readonly KubeObject[]) {}

  /**
   * @param values on top of those of the environment
   * @throws Error with what Helm printed, where the values are refused
   */
  static of(environment: Environment, values: object = {}, release = RELEASE): RenderedChart {
    const chart = join(workTree(), 'k8s/chart');
    const text = execFileSync(
      kubeProgram('helm'),
      [
        'template',
        release,
        chart,
        ...['--namespace', `illuvrse-kernel-${environment}`],
        ...['-f', join(chart, `values-${environment}.yaml`), '-f', '-'],
      ],
      { input: JSON.stringify({ ...GIVEN, ...values }), encoding: 'utf8', maxBuffer: 2 ** 24, stdio: 'pipe' },
    );
    return new RenderedChart(
      // As Kubernetes reads it: 0440 is octal.
      parseAllDocuments(text, { version: '1.1' })
        .map((document) => document.toJS() as KubeObject | null)
        .filter((object) => object !== null),
    );
  }

  of(kind: string): readonly KubeObject[] {
    return this.objects.filter((object) => object.kind === kind);
  }

  /** @param end what follows the name of the release */
  one(kind: string, end: string): KubeObject {
    const found = this.of(kind).find(({ metadata }) => metadata.name === `${RELEASE}-${end}`);
    if (found === undefined) throw new Error(`The chart has no ${kind} ${RELEASE}-${end}.`);
    return found;
  }

  /** Pods by component: of Deployments, of the migration, of the test. */
  pods(): ReadonlyMap<string, PodSpec> {
    const pods = new Map<string, PodSpec>();
    for (const { kind, metadata, spec } of this.objects as readonly (KubeObject & { spec: PodSpec })[]) {
      const component = metadata.labels?.['app.kubernetes.io/component'] ?? '';
      const { template } = (spec ?? {}) as { template?: { spec: PodSpec } };
      if (kind === 'Deployment' || kind === 'Job') pods.set(component, template?.spec as PodSpec);
      if (kind === 'Pod') pods.set(component, spec);
    }
    return pods;
  }

  /** Environment of a component, as its container gets it. */
  environmentOf(component: string): Readonly<Record<string, string>> {
    const [container] = this.pods().get(component)?.containers ?? [];
    const own = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
    const maps = (container?.envFrom ?? []).map(
      ({ configMapRef: { name } }) =>
        this.of('ConfigMap').find(({ metadata }) => metadata.name === name)?.['data'] as object,
    );
    return Object.assign({}, ...maps, own) as Record<string, string>;
  }
}

/** What Helm says about values that it refuses. @throws Error when it takes them */
export function refusalOf(environment: Environment, values: object): string {
  try {
    RenderedChart.of(environment, values);
  } catch (error) {
    return String((error as { stderr?: string }).stderr);
  }
  throw new Error(`Helm took ${JSON.stringify(values)}.`);
}
